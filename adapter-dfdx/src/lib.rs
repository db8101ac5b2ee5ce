//! Label-smoothed losses for dfdx: exact, fast, and the same bits as in every other framework
