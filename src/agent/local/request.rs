//! What the user asks for in a turn: the request in the user's own words, what a short reply answers,
//! and whether the turn goes on with earlier work or complains about it.

use super::claims::tells_change;
use super::markers::{Marker, Text};
use super::message::inline::is_question;
use super::prompt::{Said, read};
use super::turn_prompts::{is_command, prompts_of_turn};
use super::{reply, user_words};
use crate::clients::{sender, slash_command};
use crate::memory::{Batch, Prompt, Sender, Turn};
use crate::text::{collapse_spaces, truncate};

/// What the prompts of a turn say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    pub sender: Sender,
    /// The user's own words. Empty if the prompts only continue earlier work, or are small talk.
    pub text: String,
    /// What a short reply answers: the question asked before, or the options chosen. For a vague
    /// follow-up, the earlier request.
    pub re: String,
    /// The turn goes on with the work of the turn before.
    pub continues: bool,
    /// The user reports that something still fails or is wrong.
    pub complains: bool,
    /// The user denies what the turn before said.
    pub denies: bool,
    /// The user reports to have done what was left to them.
    pub did: bool,
    /// The user puts off the answer to the question before.
    pub defers: bool,
    /// What the user puts off, in their words: `i look at it on monday`.
    pub put_off: String,
}

/// Characters of the request of one prompt, and of each of several.
const MAX_REQUEST: usize = 300;
const MAX_EACH: usize = 160;

/// The request of the turn that the last message belongs to.
pub fn request(batch: &Batch) -> Request {
    let prompts = prompts_of_turn(batch);
    let last = batch.turns.last();
    let own: Vec<&Prompt> = prompts
        .iter()
        .copied()
        .filter(|p| sender(&batch.client, &p.text) == Sender::User)
        .collect();
    let Some(first) = own.first() else {
        let Some(prompt) = prompts.first() else { return Request::default() };
        let sender = sender(&batch.client, &prompt.text);
        let continues = !batch.turns.is_empty() && sender != Sender::Schedule;
        return Request { sender, continues, ..Request::default() };
    };
    let mut request = Request { sender: Sender::User, ..Request::default() };
    if is_wake_up(&first.text, &batch.turns) {
        request.sender = Sender::Schedule;
    }
    let asked = last.and_then(|turn| turn.asked.as_ref());
    let room = if own.len() > 1 { MAX_EACH } else { MAX_REQUEST };
    let mut texts: Vec<String> = Vec::new();
    let mut is_bare = true;
    for prompt in own {
        let whole = Text::new(&prompt.text);
        request.defers |= asked.is_some() && defers(&whole);
        request.complains |= complains(&prompt.text, !batch.turns.is_empty());
        request.denies |= last.is_some() && asked.is_none() && whole.has(Marker::Deny);
        request.did |= did(&prompt.text);
        if last.is_some() {
            request.put_off = put_off(&prompt.text);
        }
        let is_goodbye =
            last.is_some() && asked.is_none() && defers(&whole) && !is_question(&prompt.text);
        if (is_small_talk(&prompt.text) || is_goodbye)
            && !(whole.is(Marker::Yes) && asked.is_some())
        {
            continue;
        }
        if request.re.is_empty() {
            request.re = asked.map(|asked| reply::answers(&prompt.text, asked)).unwrap_or_default();
        }
        let goes_on = whole.is(Marker::GoOn) || whole.is(Marker::Yes) && asked.is_none();
        if goes_on && last.is_some() {
            request.continues = true;
            continue;
        }
        is_bare = false;
        let text = without_rules(prompt, batch, room);
        if !text.is_empty() && !texts.contains(&text) {
            texts.push(text);
        }
    }
    request.continues &= is_bare;
    request.text = texts.join(" ");
    if request.re.is_empty() && (is_vague(&request.text) || is_short_complaint(&request)) {
        request.re = earlier_request(&batch.turns);
    }
    request
}

/// The request of a prompt without the rules beside it, which have rows of their own.
fn without_rules(prompt: &Prompt, batch: &Batch, max: usize) -> String {
    const MIN_WORDS: usize = 3;
    let said = read(&prompt.text);
    let place = user_words::place(prompt, batch);
    let are_rules = user_words::are_rules(&said, place, user_words::answers(prompt, batch));
    let is_plain = prompt.text.len() <= user_words::MAX_PROMPT
        && plan_to_implement(&prompt.text).is_none()
        && slash_command(&prompt.text).is_none()
        && !is_command(&prompt.text);
    let rest = || said.iter().zip(&are_rules).filter(|(_, is_rule)| !**is_rule);
    let says_more = rest().any(|(said, _)| {
        !said.text.ends_with([':', '：']) && Text::new(&said.text).length() >= MIN_WORDS
    });
    match is_plain && says_more && are_rules.contains(&true) {
        true => told(rest().map(|(said, _)| said.clone()).collect(), max),
        false => from_prompt(&prompt.text, max),
    }
}

/// The request of a prompt in at most `max` characters. A short prompt is kept whole. Of a longer one:
/// its first sentences, the first that asks for something, and a question that closes it.
pub fn from_prompt(prompt: &str, max: usize) -> String {
    if let Some(plan) = plan_to_implement(prompt) {
        return truncate(&format!("Implement the plan: {plan}"), max);
    }
    let command = slash_command(prompt);
    if is_command(command.as_deref().unwrap_or(prompt)) {
        let command = command.as_deref().unwrap_or(prompt).trim();
        return truncate(&collapse_spaces(command), max);
    }
    told(read(prompt), max)
}

fn told(said: Vec<Said>, max: usize) -> String {
    let said = without_talk(said);
    let all = with_lists(&said, max);
    let length = |text: &str| text.chars().count() + 1;
    let whole: usize = all.iter().map(|text| length(text)).sum();
    if whole <= max + 1 {
        return all.join(" ");
    }
    let asking = all.iter().position(|text| asks(text));
    let closing = all.len() - 1;
    let closing = Some(closing).filter(|at| is_question(&all[*at]));
    let mut kept: Vec<usize> = Vec::new();
    let mut room = max + 1;
    let mut keep = |at: usize, kept: &mut Vec<usize>| {
        let fits = length(&all[at]) <= room;
        if fits && !kept.contains(&at) {
            room -= length(&all[at]);
            kept.push(at);
        }
        fits
    };
    let first = [asking, closing].into_iter().flatten().chain([0]).collect::<Vec<_>>();
    for at in first {
        keep(at, &mut kept);
    }
    for at in 1..all.len() {
        if !keep(at, &mut kept) {
            break;
        }
    }
    if kept.is_empty() {
        return truncate(&all[asking.unwrap_or(0)], max);
    }
    kept.sort_unstable();
    kept.into_iter().map(|at| all[at].as_str()).collect::<Vec<_>>().join(" ")
}

/// The heading of a plan that the client asks to implement, after the user approved it.
fn plan_to_implement(prompt: &str) -> Option<String> {
    const LEAD_INS: [&str; 2] = ["implement the following plan:", "please implement this plan:"];
    let prompt = prompt.trim_start();
    let plan = LEAD_INS.iter().find_map(|lead_in| {
        let start = prompt.get(..lead_in.len())?;
        start.eq_ignore_ascii_case(lead_in).then(|| &prompt[lead_in.len()..])
    })?;
    let heading = plan.lines().map(|line| line.trim_start_matches('#').trim());
    let heading = heading.into_iter().find(|line| !line.is_empty())?;
    Some(collapse_spaces(heading.strip_prefix("Plan: ").unwrap_or(heading)))
}

/// A loop wakes up with the same command each time.
fn is_wake_up(prompt: &str, turns: &[Turn]) -> bool {
    let prompt = prompt.trim();
    prompt.starts_with("/loop ")
        && turns.iter().any(|turn| turn.request == from_prompt(prompt, MAX_REQUEST))
}

/// The sentences without greetings and praise at the beginning, if something remains.
fn without_talk(mut said: Vec<Said>) -> Vec<Said> {
    let is_talk = |said: &Said| {
        let text = Text::new(&said.text);
        !said.is_item
            && text.consists_of(&[Marker::Greeting, Marker::Filler])
            && text.has(Marker::Greeting)
    };
    let n_talk = said.iter().take_while(|said| is_talk(said)).count();
    if n_talk == said.len() {
        return said;
    }
    said.drain(..n_talk);
    if let Some(first) = said.first_mut() {
        first.text = without_greeting(&first.text).to_owned();
    }
    said
}

/// `can you fix it?` of `Hi Claude, can you fix it?`.
fn without_greeting(text: &str) -> &str {
    const MAX_GREETING: usize = 4;
    let Some(at) = text.find([',', '!', '，', '、']) else { return text };
    let start = Text::new(&text[..at]);
    let rest = text[at..].trim_start_matches([',', '!', '，', '、', ' ']);
    let greets = start.length() <= MAX_GREETING
        && start.begins(Marker::Greeting)
        && start.consists_of(&[Marker::Greeting, Marker::Filler]);
    if greets && !rest.is_empty() { rest } else { text }
}

/// The sentences, with each list in one sentence behind its lead-in. A lead-in without its text is
/// left out.
fn with_lists(said: &[Said], max: usize) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut at = 0;
    while at < said.len() {
        let is_lead_in = said[at].text.ends_with([':', '：']) && !said[at].is_item;
        let items = said[at + usize::from(is_lead_in)..].iter().take_while(|said| said.is_item);
        let items: Vec<&str> =
            items.map(|said| said.text.trim_end_matches(['.', ';', ','])).collect();
        if items.is_empty() {
            if !is_lead_in {
                out.push(said[at].text.clone());
            }
            at += 1;
            continue;
        }
        let lead_in = if is_lead_in { format!("{} ", said[at].text) } else { String::new() };
        at += items.len() + usize::from(is_lead_in);
        out.push(format!(
            "{lead_in}{}",
            joined(&items, max.saturating_sub(lead_in.chars().count()))
        ));
    }
    if out.is_empty() {
        out.extend(
            said.iter().map(|said| said.text.trim_end_matches([':', '：']).to_owned()).take(1),
        );
    }
    if out.is_empty() {
        out.push(String::new());
    }
    out
}

/// The items that fit into `max` characters, and the number of the others.
fn joined(items: &[&str], max: usize) -> String {
    const MORE: usize = 10;
    let mut out = String::new();
    for (nth, item) in items.iter().enumerate() {
        if nth > 0 && out.chars().count() + item.chars().count() + 2 + MORE > max {
            out.push_str(&format!(" (+{} more)", items.len() - nth));
            return out;
        }
        if nth > 0 {
            out.push_str("; ");
        }
        out.push_str(item);
    }
    truncate(&out, max.max(MORE))
}

/// Whether the sentence is a question or asks for something.
fn asks(sentence: &str) -> bool {
    let text = Text::new(sentence);
    is_question(sentence)
        || text.has(Marker::Asks)
        || text.begins(Marker::Verb)
        || text.begins(Marker::Runs)
}

/// Whether the prompt is only a greeting, thanks, praise, or a question about the client itself.
pub fn is_small_talk(prompt: &str) -> bool {
    const MAX_WORDS: usize = 10;
    let text = Text::new(prompt);
    if text.is(Marker::SmallTalk) {
        return true;
    }
    let rest = Text::new(without_greeting(prompt.trim()));
    text.length() <= MAX_WORDS
        && (rest.is(Marker::SmallTalk)
            || text.is(Marker::Greeting)
            || text.consists_of(&[Marker::Greeting, Marker::Filler, Marker::Yes])
                && text.has(Marker::Greeting))
}

/// Whether the user reports that something still fails, or that what was done is wrong. The first
/// prompt of a session may report a bug, which is no complaint.
pub fn complains(prompt: &str, has_earlier_turn: bool) -> bool {
    has_earlier_turn
        && read(prompt).iter().any(|said| {
            let text = Text::new(&said.text);
            let reports = text.has(Marker::Still) || text.has(Marker::Wrong);
            let asks_whether = is_question(&said.text) && !text.has(Marker::Why);
            reports && !asks_whether && !text.has(Marker::If)
        })
}

/// `pushed, it's merged. Now the footer`: the first sentence reports something done.
fn did(prompt: &str) -> bool {
    let said = read(prompt);
    said.first()
        .is_some_and(|said| !is_question(&said.text) && Text::new(&said.text).has(Marker::Did))
}

/// `have to ask them`, `in a meeting, later`: no answer and no other request.
fn defers(prompt: &Text) -> bool {
    const MAX_WORDS: usize = 12;
    prompt.has(Marker::Defer) && prompt.length() <= MAX_WORDS && !prompt.begins(Marker::Verb)
}

/// The sentences that name a later time, or who does it instead.
fn put_off(prompt: &str) -> String {
    const MAX_WORDS: usize = 40;
    let is_long = Text::new(prompt).length() > MAX_WORDS;
    let defers = |said: &Said| {
        let text = Text::new(&said.text);
        (text.has(Marker::When) || text.has(Marker::Defer))
            && !is_question(&said.text)
            && !tells_change(&said.text)
    };
    let said = if is_long { Vec::new() } else { read(prompt) };
    let said: Vec<String> = said.into_iter().filter(defers).map(|said| said.text).collect();
    truncate(&said.join(" "), MAX_EACH)
}

/// Whether a request cannot be understood without an earlier one: `do the same for the other one`.
fn is_vague(request: &str) -> bool {
    const MAX_WORDS: usize = 9;
    let text = Text::new(request);
    let names = request.contains(['`', '/', '_', '"'])
        || request.split_whitespace().any(|word| {
            let word = word.trim_end_matches(['.', '!', '?', ',', ':']);
            word.contains('.')
                || word.chars().any(|c| c.is_ascii_digit())
                || word.chars().skip(1).any(char::is_uppercase)
        });
    let n_words = text.length();
    !names
        && n_words > 0
        && (n_words <= 2 && (text.has(Marker::Why) || text.begins(Marker::Verb))
            || n_words <= MAX_WORDS && text.has(Marker::Pronoun))
}

fn is_short_complaint(request: &Request) -> bool {
    const MAX_WORDS: usize = 12;
    request.complains && Text::new(&request.text).length() <= MAX_WORDS
}

/// The newest request that can be understood alone.
fn earlier_request(turns: &[Turn]) -> String {
    let mut own = turns.iter().rev().filter(|turn| turn.sender == Sender::User);
    let earlier =
        own.find(|turn| !turn.request.is_empty() && !is_vague(&turn.request) && turn.re.is_empty());
    earlier.map(|turn| turn.request.clone()).unwrap_or_default()
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
