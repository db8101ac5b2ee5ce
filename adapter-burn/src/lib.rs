//! Label-smoothed losses for burn: exact, fast, and the same bits as in every other framework
