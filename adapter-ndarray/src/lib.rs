//! Label-smoothed losses for ndarray: exact, fast, and the same bits as in every other framework
