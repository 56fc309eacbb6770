//! Reads the text of a query: phrases, left-out words, prefixes and filters. Everything else is
//! searched as text, so that no text is an error.

mod accept;
mod dates;

use rusqlite::Connection;

use super::{Filters, Request, RowKind};
use crate::memory::Origin;
use crate::store::{self, projects};
use crate::terms;
use crate::text::Needle;

/// A longer text is pasted, and what looks like an operator in it is none.
const MAX_WORDS_WITH_OPERATORS: usize = 32;

/// In a text with more words beside quoted and left-out ones, quotation marks and `-` are those of a
/// sentence or a command line.
const MAX_WORDS_WITH_CONDITIONS: usize = 6;

/// The rest of a longer text is not searched, in bytes.
const MAX_TEXT: usize = 20_000;

/// Which projects are searched.
#[derive(Clone, Debug, PartialEq)]
pub enum Projects {
    All,
    /// Several projects may have one name.
    Some(Vec<i64>),
}

/// A query that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// The text without filters and left-out words, composed.
    pub text: String,
    /// Texts that a row must contain.
    pub phrases: Vec<String>,
    /// Texts that a row must not contain.
    pub excluded: Vec<String>,
    /// Words of `text`, folded, that stand for all words which begin with them.
    pub prefixes: Vec<String>,
    pub projects: Projects,
    pub filters: Filters,
    /// What looks like a filter and is searched as text: the item, and what is wrong with its value.
    pub not_filters: Vec<(String, &'static str)>,
    pub now: i64,
}

impl Query {
    pub fn parse(conn: &Connection, request: &Request, now: i64) -> store::Result<Query> {
        let end = request.query.floor_char_boundary(MAX_TEXT.min(request.query.len()));
        let text = terms::compose(request.query[..end].trim()).into_owned();
        let mut query = Query {
            text: String::new(),
            phrases: Vec::new(),
            excluded: Vec::new(),
            prefixes: Vec::new(),
            projects: request.project.map_or(Projects::All, |id| Projects::Some(vec![id])),
            filters: request.filters.clone(),
            not_filters: Vec::new(),
            now,
        };
        let is_pasted =
            text.contains('\n') || text.split_whitespace().count() > MAX_WORDS_WITH_OPERATORS;
        if request.for_injection && query.filters.kinds.is_empty() {
            // What the user asked before is no knowledge.
            query.filters.kinds = vec![RowKind::Observation, RowKind::Summary];
        }
        if request.for_injection || is_pasted {
            query.text = text;
            return Ok(query);
        }
        let items = items(&text);
        let has_conditions =
            items.iter().filter(|item| is_plain(item)).count() <= MAX_WORDS_WITH_CONDITIONS;
        for item in items {
            if !query.apply(conn, item, has_conditions)? {
                query.push(item);
            }
        }
        if query.text.is_empty() && !query.excluded.is_empty() {
            // Only left-out words: they are what is searched.
            query.excluded.clear();
            query.text = text;
        }
        Ok(query)
    }

    /// The text as typed, if it is a name with punctuation, a path or signs. `None` for sentences.
    pub fn literal(&self) -> Option<Needle> {
        const MAX_WORDS: usize = 4;
        const MAX_BYTES: usize = 300;
        let is_sign = |c: char| !c.is_alphanumeric() && !c.is_whitespace() && !"?!.,'".contains(c);
        let is_short =
            self.text.len() <= MAX_BYTES && self.text.split_whitespace().count() <= MAX_WORDS;
        (is_short && self.text.contains(is_sign)).then(|| Needle::new(&self.text))
    }

    pub fn has_conditions(&self) -> bool {
        !self.phrases.is_empty()
    }

    pub fn without_conditions(&self) -> Query {
        Query { phrases: Vec::new(), ..self.clone() }
    }

    fn push(&mut self, text: &str) {
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        self.text.push_str(text);
    }

    /// Applies an operator. Returns `false` if the item is none.
    fn apply(
        &mut self,
        conn: &Connection,
        item: &str,
        has_conditions: bool,
    ) -> store::Result<bool> {
        if !has_conditions && (quoted(item).is_some() || item.starts_with('-')) {
            return Ok(false);
        }
        if let Some(phrase) = quoted(item) {
            self.phrases.push(phrase.to_owned());
            self.push(phrase);
            return Ok(true);
        }
        if let Some(rest) = item.strip_prefix('-') {
            let word = quoted(rest).unwrap_or(rest);
            let is_word = word.chars().next().is_some_and(char::is_alphanumeric)
                && word.chars().nth(1).is_some();
            if is_word {
                self.excluded.push(word.to_owned());
            }
            return Ok(is_word);
        }
        if let Some(word) = item.strip_suffix('*')
            && word.chars().count() >= MIN_PREFIX
            && word.chars().all(char::is_alphanumeric)
        {
            let mut folded = None;
            terms::visit(word, |token| {
                folded.get_or_insert_with(|| token.word.to_owned());
            });
            self.prefixes.extend(folded);
            self.push(word);
            return Ok(true);
        }
        let Some((key, value)) = item.split_once(':') else { return Ok(false) };
        let value = quoted(value).unwrap_or(value);
        if value.is_empty() {
            return Ok(false);
        }
        self.filter(conn, key, value)
    }

    /// Applies a filter. Returns `false` if there is no such filter, or if it has no such value.
    fn filter(&mut self, conn: &Connection, key: &str, value: &str) -> store::Result<bool> {
        let filters = &mut self.filters;
        let unknown = match key {
            "project" if value == "*" => {
                self.projects = Projects::All;
                None
            }
            "project" => {
                let ids: Vec<i64> =
                    projects::by_name(conn, value)?.into_iter().map(|(id, _)| id).collect();
                let is_known = !ids.is_empty();
                if is_known {
                    self.projects = Projects::Some(ids);
                }
                (!is_known).then_some("no project has this name")
            }
            "type" => match kind(value) {
                Some(kind) => {
                    filters.kinds.push(kind);
                    None
                }
                None if value.chars().all(|c| c.is_alphanumeric() || "_-".contains(c)) => {
                    filters.types.push(value.to_lowercase());
                    None
                }
                None => Some("a type is one word"),
            },
            "origin" => match Origin::parse(&value.to_lowercase()) {
                Some(origin) => {
                    filters.origins.push(origin);
                    None
                }
                None => Some("there is no such origin"),
            },
            "file" => {
                filters.files.push(value.to_owned());
                None
            }
            "session" => {
                filters.session = Some(value.to_owned());
                None
            }
            "branch" => {
                filters.branch = Some(value.to_owned());
                None
            }
            "after" | "before" => match dates::parse(value, self.now) {
                Some(date) if key == "after" => {
                    filters.after = Some(date);
                    None
                }
                Some(date) => {
                    filters.before = Some(date);
                    None
                }
                None => Some("this is no date, such as 2026-11-30 or 2w"),
            },
            _ => return Ok(false),
        };
        self.not_filters.extend(unknown.map(|why| (format!("{key}:{value}"), why)));
        Ok(unknown.is_none())
    }
}

/// Whether an item is neither quoted nor left out.
fn is_plain(item: &str) -> bool {
    quoted(item).is_none() && !item.starts_with('-')
}

/// A shorter prefix stands for too many words.
const MIN_PREFIX: usize = 2;

fn kind(name: &str) -> Option<RowKind> {
    Some(match name {
        "observation" | "observations" => RowKind::Observation,
        "summary" | "summaries" => RowKind::Summary,
        "prompt" | "prompts" => RowKind::Prompt,
        _ => return None,
    })
}

/// The text between two quotation marks.
fn quoted(item: &str) -> Option<&str> {
    let inner = item.strip_prefix('"')?.strip_suffix('"')?;
    (!inner.trim().is_empty()).then_some(inner)
}

/// The parts of a query, separated by white space. A quoted text at the beginning of a part, or after
/// `-` or the colon of a filter, may contain spaces.
fn items(text: &str) -> Vec<&str> {
    let mut items = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = quoted_end(rest)
            .unwrap_or_else(|| rest.find(char::is_whitespace).unwrap_or(rest.len()));
        items.push(&rest[..end]);
        rest = rest[end..].trim_start();
    }
    items
}

/// Where a part with a quoted text ends: the closing mark must end a word.
fn quoted_end(text: &str) -> Option<usize> {
    let before = text.find('"')?;
    let lead = &text[..before];
    let opens = lead.is_empty()
        || lead == "-"
        || lead.strip_suffix(':').is_some_and(|key| key.chars().all(|c| c.is_ascii_lowercase()));
    if !opens {
        return None;
    }
    let after = &text[before + 1..];
    let end = before + 1 + after.find('"')? + 1;
    text[end..].chars().next().is_none_or(char::is_whitespace).then_some(end)
}
