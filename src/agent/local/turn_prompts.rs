//! The prompts of a turn, and what they are: commands, questions, replies to a question.

use crate::memory::{Batch, Prompt, Question};

/// Prompts of a turn that are told.
const MAX_PROMPTS: usize = 6;

/// The prompts of the last message's turn, without those of other turns in the batch.
pub fn prompts_of_turn(batch: &Batch) -> Vec<&Prompt> {
    let Some(last) = batch.messages.last() else { return batch.prompts.iter().collect() };
    let is_of_another_turn = |number: i64| {
        number != last.prompt_number
            && batch.messages.iter().any(|message| {
                message.prompt_number == number
                    && message.turn_id.is_some()
                    && message.turn_id != last.turn_id
            })
    };
    let prompts: Vec<&Prompt> =
        batch.prompts.iter().filter(|prompt| !is_of_another_turn(prompt.number)).collect();
    prompts[prompts.len().saturating_sub(MAX_PROMPTS)..].to_vec()
}

/// Whether a prompt is a slash command: `/review 12`, but no path.
pub fn is_command(prompt: &str) -> bool {
    let name = prompt
        .trim_start()
        .strip_prefix('/')
        .map(|rest| rest.split(char::is_whitespace).next().unwrap_or(""));
    name.is_some_and(|name| {
        name.starts_with(|c: char| c.is_ascii_alphabetic()) && !name.contains(['/', '.'])
    })
}

/// The question that the session asked last, if the last turn ended with it.
pub fn asked(batch: &Batch) -> Option<&Question> {
    batch.turns.last()?.asked.as_ref()
}
