//! Finds secrets in texts and replaces them with `[redacted:kind]`. Every text of an event passes here
//! after the removal of tags and before it is truncated.
//!
//! One pass finds the keywords of all rules ([`keywords`]). At each keyword its rule looks at the text
//! around it: the tokens of vendors ([`tokens`]), values after a name ([`assignment`], [`decision`]), passwords in
//! URLs ([`location`]) and in the calls of programs ([`programs`]), and private keys ([`private_keys`]). A text without a keyword costs
//! the pass only. A few tokens without a keyword are recognized by their form ([`shapes`]).

mod assignment;
mod decision;
mod foreign;
mod gitleaks;
mod keywords;
mod location;
mod name;
mod own_tokens;
mod phrases;
mod private_keys;
mod programs;
mod rule;
mod shapes;
mod strings;
mod tables;
mod tokens;
pub(super) mod value;

use std::borrow::Cow;
use std::ops::Range;

use keywords::Keyword;

use super::json;
use super::plain_view::{self, PlainView, Reads};
use crate::config::Redact;
use crate::guard::guarded;
use crate::testpoint;

/// A secret in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Bytes of the text.
    pub range: Range<usize>,
    /// What it is, as in the marker `[redacted:kind]`.
    pub kind: Cow<'static, str>,
    /// The rule that found it.
    pub rule: Rule,
}

/// The group of rules that a finding comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// A rule of the user's config.
    Config,
    /// A private key in PEM form.
    PrivateKey,
    /// A token that begins with characters of its own.
    Token,
    /// A value after the name of a vendor.
    Vendor,
    /// A password in a URL.
    Url,
    /// The argument of a command.
    Option,
    /// A value after a name.
    Name,
}

impl Rule {
    pub fn as_str(self) -> &'static str {
        match self {
            Rule::Config => "config",
            Rule::PrivateKey => "private-key",
            Rule::Token => "token",
            Rule::Vendor => "vendor",
            Rule::Url => "url",
            Rule::Option => "option",
            Rule::Name => "name",
        }
    }
}

impl Finding {
    fn marker(&self) -> String {
        format!("[redacted:{}]", self.kind)
    }

    /// Tells the secret, unless it is found by its form wherever it is.
    fn tell(&self, text: &str, tell: Tell) {
        if !matches!(self.rule, Rule::Config | Rule::PrivateKey) {
            tell(&plain_view::plain(&text[self.range.clone()]), &self.kind);
        }
    }
}

/// What is recorded in place of a text in which a rule panics. The rest of the event is kept.
const FAILED: &str = "[not recorded: redaction failed]";

/// Replaces each secret in `text`.
pub fn redact<'a>(text: &'a str, own: &Redact) -> Cow<'a, str> {
    redact_and_tell(text, own, &|_, _| {})
}

/// Receives each secret that is replaced, and its kind.
pub type Tell<'a> = &'a dyn Fn(&str, &str);

/// Replaces each secret in `text`, and tells which these are.
pub fn redact_and_tell<'a>(text: &'a str, own: &Redact, tell: Tell) -> Cow<'a, str> {
    let Some(found) = attempt(|| find(text, own)) else { return FAILED.into() };
    found.iter().for_each(|finding| finding.tell(text, tell));
    if found.is_empty() {
        return text.into();
    }
    let parts: Vec<_> = found.iter().map(|f| (f.range.clone(), f.marker())).collect();
    json::replace(text, &parts).into()
}

/// Replaces each secret in the strings and keys of a JSON text, and tells which these are. Returns `None`
/// if there are none.
pub fn redact_json(raw: &str, own: &Redact, tell: Tell) -> Option<String> {
    let Some(parts) = attempt(|| strings::secrets(raw, own, tell)) else {
        return Some(format!("\"{FAILED}\""));
    };
    (!parts.is_empty()).then(|| json::replace(raw, &parts))
}

/// Searches a text. `None` if a rule panics.
fn attempt<T>(search: impl FnOnce() -> T) -> Option<T> {
    guarded(|| {
        testpoint::at("capture.redact");
        search()
    })
}

/// Returns the secrets in `text` in order. They do not overlap.
pub fn find(text: &str, own: &Redact) -> Vec<Finding> {
    let mut found = find_as_written(text, own);
    if let Some(view) = PlainView::of(text, Reads::Words) {
        found.extend(find_as_written(&view.text, own).into_iter().map(|mut finding| {
            finding.range = view.original(&finding.range);
            finding
        }));
        return merge(found);
    }
    found
}

fn find_as_written(text: &str, own: &Redact) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    let mut add = |range: Range<usize>, kind: &'static str, rule: Rule| {
        found.push(Finding { range, kind: kind.into(), rule });
    };
    let mut name_end = 0;
    let mut token_end = 0;
    let mut has_private_key = false;
    let mut values = Values::default();
    let mut tried = tokens::Attempts::default();
    let mut no_user = 0;
    let mut header_end = 0;
    let mut line = programs::Line::default();
    keywords::scan(text.as_bytes(), |at, keyword| {
        match keyword {
            Keyword::Token(_) if at < token_end => {}
            Keyword::Token(rule) => {
                if let Some(range) = tokens::token(text, at, rule, &mut tried) {
                    token_end = range.end;
                    if keywords::token_rule(rule).id == "aws-access-token"
                        && let Some(secret) = tokens::aws_secret_after(text, range.end)
                    {
                        add(secret, "aws-secret-access-key", Rule::Token);
                    }
                    add(range, keywords::token_rule(rule).id, Rule::Token);
                }
            }
            Keyword::Vendor(_) | Keyword::Name if at < values.secret_end => {}
            Keyword::Vendor(rule) => {
                let name = assignment::name_at(text, at);
                if values.may_read(at)
                    && let Some(assigned) = assignment::read(text, name)
                    && values.were_read(at, &assigned.value)
                    && let Some(rule) = tokens::vendor(rule, &text[assigned.value.clone()])
                {
                    add(assigned.value, rule.id, Rule::Vendor);
                }
            }
            // Several keywords may be in one name.
            Keyword::Name if at < name_end => {}
            Keyword::Foreign(len) if foreign::is_word(text, at, len) => {
                let name = at..at + usize::from(len);
                if at >= values.secret_end
                    && values.may_read(at)
                    && let Some(assigned) = assignment::read(text, name)
                    && values.were_read(at, &assigned.value)
                    && foreign::may_have(assigned.name, &text[assigned.value.clone()])
                    && decision::is_secret(foreign::NAME, &assigned, &text[assigned.value.clone()])
                {
                    values.secret_end = assigned.value.end;
                    add(assigned.value, foreign::NAME.kind, Rule::Name);
                }
            }
            Keyword::Foreign(_) => {}
            Keyword::Name => {
                let name = assignment::name_at(text, at);
                name_end = name.end;
                if at >= header_end && tables::may_be_cell(text, name.end) {
                    let (end, cells) = tables::cells(text, at);
                    header_end = end;
                    cells.into_iter().for_each(|(range, kind)| add(range, kind, Rule::Name));
                }
                for (range, kind) in named_secrets(text, name, &mut values) {
                    add(range, kind, Rule::Name);
                }
            }
            Keyword::Url => {
                if let Some(range) = location::url_password(text, at, &mut no_user) {
                    add(range, "password", Rule::Url);
                }
            }
            Keyword::Option => {
                if let Some(range) = programs::option_password(text, at, &mut line) {
                    add(range, "password", Rule::Option);
                }
            }
            Keyword::Program(n) => {
                if let Some(range) = programs::program_password(text, at, n, &mut line) {
                    add(range, "password", Rule::Option);
                }
            }
            Keyword::Input => {
                for range in programs::input_passwords(text, at) {
                    add(range, "password", Rule::Option);
                }
            }
            Keyword::Generated => {
                for range in location::generated_password(text, at) {
                    add(range, "password", Rule::Option);
                }
            }
            Keyword::GoDsn => {
                if let Some(range) = location::go_dsn_password(text, at) {
                    add(range, "password", Rule::Url);
                }
            }
            Keyword::Words => {
                for range in phrases::find(text, at) {
                    add(range, "secret", Rule::Name);
                }
            }
            Keyword::PrivateKey => has_private_key = true,
        }
        false
    });
    if has_private_key {
        for range in private_keys::find(text) {
            found.push(Finding { range, kind: "private-key".into(), rule: Rule::PrivateKey });
        }
    }
    shapes::scan(text, |range, kind| {
        found.push(Finding { range, kind: kind.into(), rule: Rule::Token })
    });
    for (kind, regex) in &own.rules {
        let matches = regex.find_iter(text).filter(|found| !found.range().is_empty());
        found.extend(matches.map(|m| Finding {
            range: m.range(),
            kind: kind.clone().into(),
            rule: Rule::Config,
        }));
    }
    found.retain(|f| !own.allow.iter().any(|allowed| allowed.is_match(&text[f.range.clone()])));
    merge(found)
}

/// The values that were read so far. A value may contain names, whose values end with it: without a
/// bound, the time grows with the square of the length.
#[derive(Default)]
struct Values {
    /// The end of the last secret. Names inside of it are not read.
    secret_end: usize,
    /// The end of the outermost value that contains the current names.
    outer_end: usize,
    /// The bytes that may still be read inside of that value.
    left: usize,
}

impl Values {
    /// Each byte of a value may be read this often for the names inside of it.
    const MAX_DEPTH: usize = 4;

    fn may_read(&self, at: usize) -> bool {
        at >= self.outer_end || self.left > 0
    }

    /// Counts a value that was read for the name at `at`. Returns true.
    fn were_read(&mut self, at: usize, value: &Range<usize>) -> bool {
        if at >= self.outer_end {
            (self.outer_end, self.left) = (value.end, value.len() * Self::MAX_DEPTH);
        } else {
            self.left = self.left.saturating_sub(value.len());
        }
        true
    }
}

/// Returns the secrets in the value of the name at `name`.
fn named_secrets(
    text: &str,
    name: Range<usize>,
    values: &mut Values,
) -> Vec<(Range<usize>, &'static str)> {
    if !values.may_read(name.start) {
        // More names than any text has that is no attack: nothing of the value is recorded.
        let rest = name.start..values.outer_end;
        values.secret_end = rest.end;
        return Vec::from([(rest, "secret")]);
    }
    let Some(assigned) = assignment::read(text, name.clone()) else { return Vec::new() };
    values.were_read(name.start, &assigned.value);
    let before = &text[text.floor_char_boundary(name.start.saturating_sub(40))..name.start];
    let Some(name) = name::classify_words(before, &text[name]) else { return Vec::new() };
    let value = &text[assigned.value.clone()];
    if name.kind == "cookie" && value.contains('=') {
        let line = text[assigned.value.start..]
            .find(['\n', '"', '\''])
            .unwrap_or(text.len() - assigned.value.start);
        let line = assigned.value.start..assigned.value.start + line;
        values.secret_end = line.end;
        return assignment::cookie_values(text, line)
            .into_iter()
            .map(|range| (range, "cookie"))
            .collect();
    }
    match decision::is_secret(name, &assigned, value) {
        true => {
            let secret = assigned.value.start..tokens::continued(text, assigned.value.end);
            values.secret_end = secret.end;
            vec![(secret, name.kind)]
        }
        false => Vec::new(),
    }
}

/// Sorts the findings and merges those that overlap. The most specific rule gives the kind.
fn merge(mut found: Vec<Finding>) -> Vec<Finding> {
    found.sort_by_key(|f| (f.range.start, f.rule));
    let mut merged: Vec<Finding> = Vec::new();
    for next in found {
        match merged.last_mut().filter(|last| next.range.start < last.range.end) {
            Some(last) => {
                last.range.end = last.range.end.max(next.range.end);
                if next.rule < last.rule {
                    (last.kind, last.rule) = (next.kind, next.rule);
                }
            }
            None => merged.push(next),
        }
    }
    merged
}

#[cfg(test)]
mod tests;
