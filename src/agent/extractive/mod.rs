//! temporary
use crate::memory::*;
pub fn distill(batch: &Batch) -> Distilled {
    let last = batch.messages.last().unwrap();
    Distilled {
        observations: vec![],
        summary: last.cause.summarizes().then(|| Summary {
            completed: last.last_assistant_message.clone().unwrap_or_default(),
            ..Default::default()
        }),
    }
}
