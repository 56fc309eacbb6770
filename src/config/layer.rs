//! The settings of one config file as texts, and what is wrong with them. Messages name the file and the
//! line.

use std::collections::BTreeMap;
use std::fmt;

use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::file::{ConfigFile, Content};
use super::keys::{self, KEYS, Key, Scope, env_name};
use super::unit::Unit;
use crate::text::{nearest, quote};

/// What is wrong with the settings.
#[derive(Default)]
pub(super) struct Findings {
    pub problems: Vec<String>,
    /// Those of the problems because of which nothing is recorded.
    pub faults: Vec<String>,
    /// Names of settings that decide where text is sent, whose value cannot be used, with the reason.
    /// Their default must not take their place.
    pub undecided: Vec<(String, String)>,
}

impl Findings {
    pub fn fault(&mut self, message: String) {
        self.faults.push(message.clone());
        self.problems.push(message);
    }

    /// A setting with this name has no value that can be used.
    pub fn without_value(&mut self, name: &str, message: &str) {
        let meant = nearest(name, KEYS.iter().map(|key| key.name)).unwrap_or(name);
        // These do not decide where text is sent.
        let is_harmless = ["model", "max_tokens"].iter().any(|last| meant.ends_with(last));
        if name.starts_with("agent.") && !is_harmless {
            self.undecided.push((name.to_owned(), message.to_owned()));
        }
    }

    fn at(&mut self, scope: Scope, message: String) {
        match scope {
            Scope::Restriction => self.fault(message),
            Scope::Public | Scope::UserOnly => self.problems.push(message),
        }
    }
}

/// The settings of one config file.
pub(super) struct Layer<'a> {
    pub file: &'a ConfigFile,
    /// By `section.key`.
    pub texts: BTreeMap<String, Text>,
}

/// A value as text. The items of a list are separated by commas.
pub(super) struct Text {
    pub text: String,
    line: usize,
}

impl<'a> Layer<'a> {
    pub fn read(file: &'a ConfigFile, found: &mut Findings) -> Layer<'a> {
        let mut layer = Layer { file, texts: BTreeMap::new() };
        match &file.content {
            Content::Missing => {}
            Content::Unreadable(why) => {
                found.fault(format!("cannot read {}: {why}", file.path.display()));
            }
            Content::Text(text) => match DeTable::parse(text) {
                Ok(table) => layer.flatten("", table.get_ref(), text, found),
                Err(e) => {
                    let line = e.span().map_or(1, |span| line_of(text, span.start));
                    let why = quote(e.message());
                    found.fault(format!("{}: not valid TOML: {why}", Source::Line(file, line)));
                }
            },
        }
        layer
    }

    /// The value of a setting and its line.
    pub fn value(&self, key: &Key) -> Option<(String, Source<'a>)> {
        let Text { text, line } = self.texts.get(key.name)?;
        Some((text.clone(), Source::Line(self.file, *line)))
    }

    /// Flattens tables into [`Layer::texts`].
    fn flatten(&mut self, prefix: &str, table: &DeTable, toml: &str, found: &mut Findings) {
        for (name, value) in table {
            let line = line_of(toml, name.span().start);
            let name = name.get_ref();
            let name =
                if prefix.is_empty() { name.to_string() } else { format!("{prefix}.{name}") };
            let key = KEYS.iter().find(|key| key.name == name);
            let source = Source::Line(self.file, line);
            if let DeValue::Table(inner) = value.get_ref() {
                if let Some(key) = key {
                    let message = format!("{source}: {} is a table; expected a value", key.name);
                    found.without_value(key.name, &message);
                    found.at(key.scope, message);
                }
                self.flatten(&name, inner, toml, found);
                continue;
            }
            let Some(key) = key else {
                let message = format!("{source}: {}", keys::unknown(&quote(&name)));
                found.without_value(&name, &message);
                found.at(unknown_scope(&name), message);
                continue;
            };
            let text = match value.get_ref() {
                DeValue::Array(items) => {
                    let items = items.iter().map(Spanned::get_ref);
                    let items = items.filter_map(|item| list_item(key, item, &source, found));
                    items.collect::<Vec<_>>().join(",")
                }
                value => match list_item(key, value, &source, found) {
                    Some(text) => text,
                    None => continue,
                },
            };
            self.texts.insert(name, Text { text, line });
        }
    }
}

/// The number of the line of a byte, from 1.
fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}

/// Where a value is set. Messages about it begin with that.
pub(super) enum Source<'a> {
    Line(&'a ConfigFile, usize),
    Variable(&'a Key),
}

impl fmt::Display for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Line(file, line) => write!(f, "{}, line {line}", file.path.display()),
            Source::Variable(key) => f.write_str(&env_name(key.name)),
        }
    }
}

/// The text of a value or of an item of a list.
fn list_item(key: &Key, value: &DeValue, source: &Source, found: &mut Findings) -> Option<String> {
    let is_pattern = matches!(key.unit, Unit::Globs | Unit::Rules | Unit::Regexes);
    let other = match value {
        DeValue::String(text) if is_pattern && text.trim().is_empty() => return None,
        DeValue::String(text) => return Some(text.to_string()),
        DeValue::Integer(n) => decimal(n).unwrap_or_else(|| n.to_string()),
        DeValue::Float(n) => n.to_string(),
        DeValue::Boolean(on) => on.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(_) => "[…]".to_owned(),
        DeValue::Table(_) => "{…}".to_owned(),
    };
    let expected = match value {
        _ if is_pattern => "expected patterns in quotes",
        DeValue::Array(_) | DeValue::Table(_) => "expected a list of values",
        _ => return Some(other),
    };
    let value = quote(other);
    let message = format!("{source}: invalid value {value} for {}: {expected}", key.name);
    found.without_value(key.name, &message);
    found.at(key.scope, message);
    None
}

fn decimal(n: &DeInteger) -> Option<String> {
    Some(i64::from_str_radix(n.as_str(), n.radix()).ok()?.to_string())
}

/// The scope that an unknown setting may have been meant to have. A misspelled `exclude`, or one that
/// follows the header of another table, must not be ignored.
fn unknown_scope(name: &str) -> Scope {
    let restrictions = || KEYS.iter().filter(|key| key.scope == Scope::Restriction);
    let is_near = |text: &str, known: &str| nearest(text, [known].into_iter()).is_some();
    let last_part = |name: &str| name.rsplit('.').next().unwrap_or_default().to_lowercase();
    let meant = nearest(name, KEYS.iter().map(|key| key.name));
    let meant_one = restrictions().any(|key| meant == Some(key.name));
    let misplaced = is_near(&last_part(name), "exclude")
        && !KEYS.iter().any(|key| key.scope != Scope::Restriction && meant == Some(key.name));
    let contains = name.split('.').any(|part| part.eq_ignore_ascii_case("exclude"));
    if meant_one || misplaced || contains { Scope::Restriction } else { Scope::Public }
}
