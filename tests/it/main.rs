mod storage;
mod tidy;
