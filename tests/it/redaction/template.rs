//! Texts with places for random values.
//!
//! A place is an expression between `«` and `»`:
//!
//! ```text
//! word, Word, WORD, uuid, UUID, time, host, user, prose, n 90, n 90 1 (from 1)
//! hex 40, base64 32 (bytes), base64_lines 700, [A-Za-z0-9]{20}, one|another
//! password, aws_secret, opaque, basic, jwt, checked ghp_    secrets of all kinds
//! settings 1 6, log 1 4, build 1 3, code 1 3                 harmless lines
//! !EXPR      a secret                         ?EXPR      neither secret nor clean
//! base64_of EXPR                              a=EXPR, a  the same value again
//! ```
//!
//! In the carrier of a token also `NAME`, `snake`, `kebab`, `dotted`, `words`, `camel`, `Camel` for its
//! name, `token`, and `first` and `second` for the token in two parts.

use super::document::{either, secret, without_marks};
use super::noise;
use super::values::{
    base64, base64_lines, base64_of, basic, capitalized, checked, fill, hex, host, jwt, opaque,
    password, time, user, uuid, word,
};
use crate::support::random::Random;

pub enum Text {
    /// A template.
    Once(&'static str),
    /// As many lines, each from the same template.
    Lines(u64, &'static str),
    /// As many lines of a pool, in its order. Each is a template.
    Pool(u64, &'static str),
    /// A template with the place `escaped` for another template as a JSON string.
    Escaped(&'static str, &'static str),
    Built(fn(&mut Random) -> String),
}

/// Texts under the names of their carriers, for example `env file`.
pub type Texts = &'static [(&'static str, Text)];

/// Kinds and their texts.
pub type Table = &'static [(&'static str, Texts)];

/// A token with the name of its setting, for a carrier.
pub struct Named<'a> {
    name: &'a str,
    token: &'a str,
    first: &'a str,
    second: &'a str,
}

impl<'a> Named<'a> {
    /// Breaks the token behind 12 characters or more.
    pub fn new(random: &mut Random, name: &'a str, token: &'a str) -> Named<'a> {
        let least = 12.min(token.len() / 2);
        let at = least + random.below((token.len() - 2 * least).max(1) as u64) as usize;
        let (first, second) = token.split_at(at);
        Named { name, token, first, second }
    }

    fn value(&self, expression: &str) -> Option<String> {
        let lower_case = |separator| self.name.to_lowercase().replace('_', separator);
        let camel_case = || -> String {
            let mut parts = self.name.split('_').map(str::to_lowercase);
            let first = parts.next().unwrap_or_default();
            first + &parts.map(|part| capitalized(&part)).collect::<String>()
        };
        Some(match expression {
            "NAME" => self.name.to_owned(),
            "snake" => lower_case("_"),
            "kebab" => lower_case("-"),
            "dotted" => lower_case("."),
            "words" => lower_case(" "),
            "camel" => camel_case(),
            "Camel" => capitalized(&camel_case()),
            "token" => self.token.to_owned(),
            "first" => self.first.to_owned(),
            "second" => self.second.to_owned(),
            // Together with the rest of the line of grep it fills 80 columns, unless the part is longer.
            "folder" => {
                let folders =
                    "services/billing/deploy/environments/production/eu-central-1/overlays";
                let free = 68_usize.saturating_sub(self.first.len() + self.name.len());
                folders[..free.min(folders.len())].trim_end_matches('/').to_owned()
            }
            _ => return None,
        })
    }
}

impl Text {
    pub fn write(&self, random: &mut Random, named: Option<&Named<'_>>) -> String {
        match self {
            Text::Once(template) => expand(random, template, named),
            Text::Lines(n, template) => {
                (0..*n).map(|_| expand(random, template, named) + "\n").collect()
            }
            Text::Pool(n, pool) => {
                let lines = some(random, pool, *n);
                lines.iter().map(|line| expand(random, line, named) + "\n").collect()
            }
            Text::Escaped(outer, inner) => {
                let inner = serde_json::Value::from(expand(random, inner, named)).to_string();
                let outer = expand(random, outer, named);
                outer.replace("(escaped)", &inner[1..inner.len() - 1])
            }
            Text::Built(build) => build(random),
        }
    }
}

/// `n` different lines of a pool, in its order.
fn some<'a>(random: &mut Random, pool: &'a str, n: u64) -> Vec<&'a str> {
    let mut lines: Vec<&str> = pool.lines().filter(|line| !line.trim().is_empty()).collect();
    while lines.len() as u64 > n {
        lines.remove(random.below(lines.len() as u64) as usize);
    }
    lines
}

/// Replaces the places of a template.
pub fn expand(random: &mut Random, template: &str, named: Option<&Named<'_>>) -> String {
    let mut text = String::new();
    let mut variables: Vec<(&str, String)> = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('«') {
        text.push_str(before);
        let (expression, after) = after.split_once('»').expect("a closed place");
        rest = after;
        let variable = expression.split_once('=').filter(|(name, _)| name.len() == 1);
        if let Some((name, expression)) = variable {
            let value = value(random, expression, named);
            text.push_str(&value);
            variables.push((name, value));
        } else if let Some((_, value)) = variables.iter().find(|(name, _)| *name == expression) {
            text.push_str(value);
        } else {
            text.push_str(&value(random, expression, named));
        }
    }
    text + rest
}

fn value(random: &mut Random, expression: &str, named: Option<&Named<'_>>) -> String {
    if let Some(rest) = expression.strip_prefix('!') {
        return secret(&value(random, rest, named));
    }
    if let Some(rest) = expression.strip_prefix('?') {
        return either(&value(random, rest, named));
    }
    if let Some(rest) = expression.strip_prefix("base64_of ") {
        return base64_of(&without_marks(&value(random, rest, named)));
    }
    if expression.contains('|') {
        let choices: Vec<&str> = expression.split('|').collect();
        return random.pick(&choices).to_owned();
    }
    if expression.contains('[') {
        return fill(random, expression);
    }
    if let Some(value) = named.and_then(|named| named.value(expression)) {
        return value;
    }
    let mut parts = expression.split(' ');
    let (function, first, second) = (parts.next(), parts.next(), parts.next());
    let number = |text: Option<&str>| -> u64 {
        text.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("number in {expression}"))
    };
    match function.unwrap_or_default() {
        "word" => word(random).to_owned(),
        "Word" => capitalized(word(random)),
        "WORD" => word(random).to_uppercase(),
        "uuid" => uuid(random),
        "UUID" => uuid(random).to_uppercase(),
        "time" => time(random),
        "host" => host(random),
        "user" => user(random).to_owned(),
        "prose" => noise::prose(random),
        "n" => {
            let from = second.map_or(0, |_| number(second));
            (from + random.below(number(first))).to_string()
        }
        "hex" => hex(random, number(first)),
        "base64" => base64(random, number(first) as usize),
        "base64_lines" => base64_lines(random, number(first) as usize).join("\n"),
        "password" => password(random),
        "aws_secret" => fill(random, "[A-Za-z0-9/+]{39}[A-Za-z0-9]"),
        "opaque" => opaque(random),
        "basic" => basic(random),
        "jwt" => jwt(random),
        "checked" => checked(random, first.expect("a prefix")),
        "settings" => noise::lines(random, noise::SETTINGS, number(first), number(second)),
        "log" => noise::lines(random, noise::LOG, number(first), number(second)),
        "build" => noise::lines(random, noise::BUILD, number(first), number(second)),
        "code" => noise::lines(random, noise::CODE, number(first), number(second)),
        "escaped" => "(escaped)".to_owned(),
        _ => panic!("unknown expression {expression}"),
    }
}
