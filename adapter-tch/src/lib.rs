//! Label-smoothed losses for tch: exact, fast, and the same bits as in every other framework
