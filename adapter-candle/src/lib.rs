//! Label-smoothed losses for candle: exact, fast, and the same bits as in every other framework
