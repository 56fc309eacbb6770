//! Reads questions of the client and the user's answers.
//!
//! The questions are in the input. The answers are in the response: by the question's text, its id or
//! its number, or as a list, or in a sentence that the client makes. A question without an answer is
//! left out: the user was away, or dismissed it.

use serde_json::{Map, Value};

use super::payload::Payload;
use super::shorten::fit;
use crate::memory::Answer;

/// Maximum number of characters of a question, an option and an answer.
const MAX_QUESTION: usize = 400;
const MAX_OPTION: usize = 120;
const MAX_ANSWER: usize = 600;
/// Maximum number of questions of one use, and of options of a question.
const MAX_QUESTIONS: usize = 12;
const MAX_OPTIONS: usize = 12;

struct Question {
    text: String,
    id: String,
    header: String,
    options: Vec<String>,
}

/// The answered questions.
pub fn read(input: &Payload, response: &Payload) -> Vec<Answer> {
    let questions = questions(input, response);
    let found = Answers::find(response);
    let is_only = questions.len() == 1;
    let answered = questions.into_iter().enumerate().filter_map(|(at, question)| {
        let given = found.of(at, &question, is_only)?;
        answer(question, given)
    });
    answered.collect()
}

/// The answers that were given before the user chose to talk about the questions instead. `text` is the
/// client's text.
pub fn read_partial(input: &Payload, text: &str) -> Vec<Answer> {
    let questions = questions(input, &Payload::Absent).into_iter();
    let answered = questions.filter_map(|question| {
        let (_, rest) = text.split_once(&format!("- \"{}\"\n", question.text))?;
        let mut lines = rest.lines().map(str::trim);
        let value = lines.next()?.strip_prefix("Answer: ")?.to_owned();
        let note = lines.next().and_then(|line| line.strip_prefix("User notes: "));
        answer(question, Given { values: vec![value], note: note.unwrap_or("").to_owned() })
    });
    answered.collect()
}

/// What the user chose or typed.
struct Given {
    values: Vec<String>,
    note: String,
}

fn answer(question: Question, given: Given) -> Option<Answer> {
    let (question_text, options) = (question.text, question.options);
    let values: Vec<&str> =
        given.values.iter().map(|v| v.trim()).filter(|v| !v.is_empty()).collect();
    // Clients join several chosen options by commas. Options may contain commas too.
    let mut typed = !options.is_empty() && !values.iter().all(|value| is_chosen(value, &options));
    let mut answer = values.join(", ");
    let note = given.note.trim();
    if answer.is_empty() {
        answer = note.to_owned();
        typed = true;
    }
    if answer.is_empty() {
        return None;
    }
    let note = if answer == note { String::new() } else { fit(note, MAX_ANSWER) };
    typed |= options.is_empty();
    Some(Answer {
        question: question_text,
        options: options.into_iter().map(|option| fit(&option, MAX_OPTION)).collect(),
        answer: fit(&answer, MAX_ANSWER),
        note,
        typed,
        sources: Vec::new(),
    })
}

/// Whether a value consists of options only.
fn is_chosen(value: &str, options: &[String]) -> bool {
    let mut rest = value;
    loop {
        let longest =
            options.iter().filter(|o| rest.starts_with(o.as_str())).max_by_key(|o| o.len());
        let Some(option) = longest else { return false };
        rest = rest[option.len()..].trim_start();
        match rest.strip_prefix(',') {
            Some(more) => rest = more.trim_start(),
            None => return rest.is_empty(),
        }
    }
}

fn string<'a>(value: &'a Value, keys: &[&str]) -> Option<&'a str> {
    keys.iter().find_map(|key| value.get(*key)?.as_str()).filter(|text| !text.trim().is_empty())
}

fn questions(input: &Payload, response: &Payload) -> Vec<Question> {
    let (input, response) = (input.object(), response.object());
    let list =
        [&input, &response].into_iter().flatten().find_map(|v| v.get("questions")?.as_array());
    if let Some(list) = list {
        return list.iter().take(MAX_QUESTIONS).filter_map(question).collect();
    }
    let Some(input) = input else { return Vec::new() };
    match string(&input, &["questionnaire"]) {
        Some(text) => questionnaire(text),
        None => question(&input).into_iter().collect(),
    }
}

fn question(value: &Value) -> Option<Question> {
    let text = string(value, &["question", "prompt", "message", "title"])?;
    let options =
        ["options", "choices", "follow_up", "suggestions"].iter().find_map(|k| value.get(*k));
    // Some clients send the list as JSON inside a string.
    let inner: Option<Value> =
        options.and_then(Value::as_str).and_then(|text| serde_json::from_str(text).ok());
    let options = inner.as_ref().or(options).and_then(Value::as_array);
    let label = |option: &Value| {
        let text = option
            .as_str()
            .or_else(|| string(option, &["label", "title", "text", "value", "name", "id"]))?;
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    Some(Question {
        text: fit(text, MAX_QUESTION),
        id: string(value, &["id"]).unwrap_or("").to_owned(),
        header: string(value, &["header"]).unwrap_or("").to_owned(),
        options: options.into_iter().flatten().take(MAX_OPTIONS).filter_map(label).collect(),
    })
}

/// Droid's form: `1. [question] …`, `[option] …`.
fn questionnaire(text: &str) -> Vec<Question> {
    let mut found: Vec<Question> = Vec::new();
    for line in text.lines().map(str::trim) {
        let line = line.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | ' '));
        if let Some(text) = line.strip_prefix("[question]") {
            if found.len() == MAX_QUESTIONS {
                break;
            }
            let text = fit(text, MAX_QUESTION);
            found.push(Question {
                text,
                id: String::new(),
                header: String::new(),
                options: Vec::new(),
            });
        } else if let (Some(option), Some(last)) = (line.strip_prefix("[option]"), found.last_mut())
            && last.options.len() < MAX_OPTIONS
        {
            last.options.push(option.trim().to_owned());
        }
    }
    found
}

/// The answers of a response.
struct Answers {
    /// By question, id, number or header.
    by_key: Map<String, Value>,
    in_order: Vec<Value>,
    /// Notes by question.
    notes: Map<String, Value>,
    /// The client's sentence.
    text: String,
}

impl Answers {
    fn find(response: &Payload) -> Answers {
        let mut found = Answers {
            by_key: Map::new(),
            in_order: Vec::new(),
            notes: Map::new(),
            text: response.text(),
        };
        let Some(value) = response.object() else { return found };
        found.take(&value);
        // OpenCode: `metadata`. Gemini CLI: JSON inside `llmContent`. Qwen Code: `returnDisplay`.
        for key in ["metadata", "returnDisplay", "llmContent", "output", "result", "content"] {
            if !found.by_key.is_empty() || !found.in_order.is_empty() {
                break;
            }
            match value.get(key) {
                Some(Value::String(text)) => {
                    if let Ok(inner) = serde_json::from_str::<Value>(text) {
                        found.take(&inner);
                    }
                    if found.text.is_empty() {
                        found.text.clone_from(text);
                    }
                }
                Some(inner) => found.take(inner),
                None => {}
            }
        }
        found
    }

    fn take(&mut self, value: &Value) {
        match value.get("answers") {
            Some(Value::Object(map)) => self.by_key.clone_from(map),
            Some(Value::Array(list)) => self.in_order.clone_from(list),
            _ => {}
        }
        if let Some(Value::Object(notes)) = value.get("annotations") {
            self.notes.clone_from(notes);
        }
    }

    /// What the user answered to the question at this position.
    fn of(&self, at: usize, question: &Question, is_only: bool) -> Option<Given> {
        let has = |key: &str| !key.is_empty() && self.by_key.contains_key(key);
        let number = at.to_string();
        let keys = [question.text.as_str(), &question.id, &number, &question.header];
        let value = keys.into_iter().find(|key| has(key)).map(|key| &self.by_key[key]);
        // A private word in the question is replaced in both places, but a long question is cut here.
        let value = value.or_else(|| {
            let key = self.by_key.keys().find(|key| fit(key, MAX_QUESTION) == question.text)?;
            self.by_key.get(key)
        });
        let value = value.or_else(|| self.in_order.get(at));
        let note = self.notes.get(&question.text).and_then(|n| n.get("notes")?.as_str());
        if let Some(value) = value {
            let mut given = Given { values: Vec::new(), note: note.unwrap_or("").to_owned() };
            given.add(value);
            return Some(given);
        }
        if let Some(note) = note {
            return Some(Given { values: Vec::new(), note: note.to_owned() });
        }
        if !self.by_key.is_empty() || !self.in_order.is_empty() {
            return None;
        }
        quoted(&self.text, &question.text)
            .or_else(|| headed(&self.text, &question.header))
            .or_else(|| if is_only { plain(&self.text) } else { None })
    }
}

impl Given {
    fn add(&mut self, value: &Value) {
        match value {
            // Codex marks a note this way.
            Value::String(text) => match text.strip_prefix("user_note: ") {
                Some(note) => note.clone_into(&mut self.note),
                None => self.values.push(text.clone()),
            },
            Value::Array(values) => values.iter().for_each(|value| self.add(value)),
            Value::Object(map) => {
                let inner = ["answers", "answer", "selected", "value", "label"];
                if let Some(value) = inner.iter().find_map(|key| map.get(*key)) {
                    self.add(value);
                }
            }
            Value::Bool(value) => self.values.push(if *value { "yes" } else { "no" }.to_owned()),
            Value::Number(number) => self.values.push(number.to_string()),
            Value::Null => {}
        }
    }
}

/// The answer in `"Which colour?"="Red" user notes: not too dark, "Next?"="…". You can now …`.
fn quoted(text: &str, question: &str) -> Option<Given> {
    const ENDS: [&str; 6] =
        ["\", \"", "\". ", "\" user notes: ", "\" notes: ", "\" selected preview:", "\"\n"];
    let (_, rest) = text.split_once(&format!("\"{question}\"="))?;
    let (value, rest) = match rest.strip_prefix('"') {
        Some(rest) => {
            let end = ENDS.iter().filter_map(|end| rest.find(end)).min();
            let end = end.or_else(|| rest.rfind('"')).unwrap_or(rest.len());
            (rest[..end].to_owned(), &rest[end..])
        }
        // `=(no option selected)`
        None => (String::new(), rest),
    };
    let until_next = rest.find(", \"").map_or(rest, |end| &rest[..end]);
    let note = until_next.split_once("notes: ").map_or("", |(_, note)| note);
    const TAILS: [&str; 2] = [". You can now continue", ". Read the answers carefully"];
    let end = TAILS.iter().filter_map(|tail| note.find(tail)).min().unwrap_or(note.len());
    Some(Given { values: vec![value], note: note[..end].to_owned() })
}

/// The answer in `**Header**: answer`.
fn headed(text: &str, header: &str) -> Option<Given> {
    if header.is_empty() {
        return None;
    }
    let mark = format!("**{header}**: ");
    let line = text.lines().find_map(|line| line.trim().strip_prefix(mark.as_str()))?;
    Some(Given { values: vec![line.to_owned()], note: String::new() })
}

/// The answer to the only question, in words of its own: `User selected: Red`.
fn plain(text: &str) -> Option<Given> {
    const MARKS: [&str; 6] = [
        "User selected: ",
        "User responded: ",
        "User response: ",
        "User answered: ",
        "Selected: ",
        "<answer>",
    ];
    let text = text.trim();
    let rest = MARKS.iter().find_map(|mark| text.strip_prefix(mark))?;
    let rest = rest.split("</answer>").next().unwrap_or(rest);
    Some(Given { values: vec![rest.to_owned()], note: String::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(input: &str, response: &str) -> Vec<(String, String, String, bool)> {
        let read = read(&Payload::read(Some(input)), &Payload::read(Some(response)));
        read.into_iter().map(|a| (a.question, a.answer, a.note, a.typed)).collect()
    }

    fn check(input: &str, response: &str, expected: &[(&str, &str, &str, bool)]) {
        let found = answers(input, response);
        let found: Vec<_> =
            found.iter().map(|(q, a, n, t)| (q.as_str(), a.as_str(), n.as_str(), *t)).collect();
        assert_eq!(found, expected, "{response}");
    }

    const INPUT: &str = r#"{"questions":[
        {"question":"Which colour?","header":"Colour","options":[{"label":"Red","description":"r"},{"label":"Blue, dark","description":"b"}],"multiSelect":true},
        {"question":"Tests?","header":"Tests","options":[{"label":"Yes"},{"label":"No"}],"multiSelect":false}]}"#;

    #[test]
    fn answers_by_question_are_read() {
        let payload = include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/data/claude-code-2.1.329/PostToolUse.AskUserQuestion.json"
        ));
        let payload: Value = serde_json::from_str(payload).unwrap();
        let (input, response) =
            (payload["tool_input"].to_string(), payload["tool_response"].to_string());
        check(&input, &response, &[("Which colour?", "Red", "", false)]);
        // Several options, and another answer with a note.
        let response = r#"{"answers":{"Which colour?":"Red, Blue, dark","Tests?":"main was clean; fix it"},
            "annotations":{"Tests?":{"notes":"only the fast ones"}}}"#;
        check(
            INPUT,
            response,
            &[
                ("Which colour?", "Red, Blue, dark", "", false),
                ("Tests?", "main was clean; fix it", "only the fast ones", true),
            ],
        );
        // Only a note, and no answer at all.
        let response = r#"{"answers":{},"annotations":{"Tests?":{"notes":"you choose"}},"afkTimeoutMs":60000}"#;
        check(INPUT, response, &[("Tests?", "you choose", "", true)]);
        check(INPUT, r#"{"answers":{},"annotations":{},"afkTimeoutMs":60000}"#, &[]);
    }

    #[test]
    fn answers_in_sentences_are_read() {
        let response = r#"User has answered your questions: "Which colour?"="Red", "Tests?"="No" user notes: too slow. You can now continue with the user's answers in mind."#;
        check(
            INPUT,
            response,
            &[("Which colour?", "Red", "", false), ("Tests?", "No", "too slow", false)],
        );
        let response = r#"The user answered: "Tests?"=(no option selected) notes: any will do. Read the answers carefully — they may request changes."#;
        check(INPUT, response, &[("Tests?", "any will do", "", true)]);
        let away = "No response after 60s — the user may be away from keyboard. Proceed using your best judgment";
        check(INPUT, away, &[]);
        check(INPUT, "User declined to answer the questions.", &[]);
    }

    #[test]
    fn answers_of_other_clients_are_read() {
        // OpenCode
        let response = r#"{"title":"Asked 2 questions","output":"…","metadata":{"answers":[["Red","Blue, dark"],["maybe"]]}}"#;
        let both = [("Which colour?", "Red, Blue, dark", "", false), ("Tests?", "maybe", "", true)];
        check(INPUT, response, &both);
        // Codex
        let input = r#"{"questions":[{"id":"scope","header":"Scope","question":"How far?","options":[{"label":"App only"},{"label":"All"}]}]}"#;
        let response = r#"{"answers":{"scope":{"answers":["All","user_note: but not the docs"]}}}"#;
        check(input, response, &[("How far?", "All", "but not the docs", false)]);
        check(
            input,
            &Value::String(response.to_owned()).to_string(),
            &[("How far?", "All", "but not the docs", false)],
        );
        // Gemini CLI
        let response =
            r#"{"llmContent":"{\"answers\":{\"0\":\"Red\",\"1\":\"Yes\"}}","returnDisplay":"x"}"#;
        let both = [("Which colour?", "Red", "", false), ("Tests?", "Yes", "", false)];
        check(INPUT, response, &both);
        // Qwen Code
        let response = r#"{"llmContent":"User has provided the following answers:\n\n**Colour**: Red\n**Tests**: Yes","returnDisplay":"x"}"#;
        check(INPUT, response, &both);
        // Copilot, Cline
        let input = r#"{"question":"Pick one","choices":["A","B"]}"#;
        check(
            input,
            r#"{"resultType":"success","textResultForLlm":"User selected: B"}"#,
            &[("Pick one", "B", "", false)],
        );
        let input = r#"{"question":"Pick one","options":"[\"A\",\"B\"]"}"#;
        check(
            input,
            "<answer>\nneither, wait\n</answer>",
            &[("Pick one", "neither, wait", "", true)],
        );
        // Droid
        let input = r#"{"questionnaire":"1. [question] Approve it?\n[topic] Fix\n[option] Approve\n[option] Keep"}"#;
        check(input, r#"{"answers":{"0":"Keep"}}"#, &[("Approve it?", "Keep", "", false)]);
    }

    #[test]
    fn answers_before_the_user_wanted_to_talk_are_read() {
        let text = "The user wants to clarify these questions.\n    Questions asked:\n- \"Which colour?\"\n  Answer: Red\n  User notes: dark\n- \"Tests?\"\n  (No answer provided)";
        let found = read_partial(&Payload::read(Some(INPUT)), text);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].answer.as_str(), found[0].note.as_str()), ("Red", "dark"));
        assert_eq!(found[0].options, ["Red", "Blue, dark"]);
    }

    #[test]
    fn arbitrary_payloads_have_no_answers() {
        for text in ["", "null", "[]", "{", "7", r#"{"questions":7}"#, r#"{"answers":[[]]}"#] {
            check(text, text, &[]);
            check(INPUT, text, &[]);
        }
    }
}
