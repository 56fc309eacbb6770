pub mod observations;
pub mod summaries;
