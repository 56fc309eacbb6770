//! `--format`: a line per hit, for fuzzy pickers and scripts.

use super::shown::Shown;
use crate::text::{collapse_spaces, nearest, quote, sanitize};

/// A field of a template and how it is read from a hit.
struct Field {
    name: &'static str,
    read: fn(&Shown) -> String,
}

const FIELDS: [Field; 14] = [
    Field { name: "id", read: |hit| hit.hit.stored.row.to_string() },
    Field { name: "title", read: |hit| hit.hit.stored.title().to_owned() },
    Field { name: "snippet", read: |hit| hit.hit.snippet.text.clone() },
    Field { name: "type", read: |hit| hit.hit.stored.kind.clone() },
    Field { name: "project", read: |hit| hit.project.clone().unwrap_or_default() },
    Field { name: "session", read: |hit| hit.hit.stored.session.clone().unwrap_or_default() },
    Field { name: "branch", read: |hit| hit.hit.stored.branch.clone().unwrap_or_default() },
    Field { name: "files", read: |hit| hit.hit.stored.files.join(" ") },
    Field { name: "origin", read: |hit| hit.hit.stored.origin.as_str().to_owned() },
    Field { name: "date", read: |hit| hit.day.clone() },
    Field { name: "age", read: |hit| hit.age.clone() },
    Field { name: "score", read: |hit| format!("{:.3}", hit.hit.score) },
    Field { name: "confidence", read: |hit| format!("{:.3}", hit.confidence) },
    Field { name: "external_id", read: |hit| hit.external_id().unwrap_or_default().to_owned() },
];

enum Part {
    Text(String),
    Field(&'static Field),
}

/// A template that was read.
pub struct Template(Vec<Part>);

impl Template {
    /// Reads a template: `{field}`, `{{` and `}}` for braces, `\t`, `\n`, `\0` and `\\`.
    ///
    /// # Errors
    /// A message that names the unknown field or the brace without its pair.
    pub fn parse(text: &str) -> Result<Template, String> {
        let mut parts = vec![Part::Text(String::new())];
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let (part, used) = part(c, rest)?;
            match (part, parts.last_mut()) {
                (Part::Text(more), Some(Part::Text(text))) => text.push_str(&more),
                (part, _) => parts.push(part),
            }
            rest = &rest[used..];
        }
        Ok(Template(parts))
    }

    /// The line of a hit, with its end.
    pub fn line(&self, hit: &Shown) -> String {
        let mut line = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => line.push_str(text),
                Part::Field(field) => line.push_str(&clean(&(field.read)(hit))),
            }
        }
        line.push('\n');
        line
    }
}

/// The part at the beginning of `rest`, and how many bytes of it were read.
fn part(first: char, rest: &str) -> Result<(Part, usize), String> {
    let text = |text: &str, used| Ok((Part::Text(text.to_owned()), used));
    match first {
        '{' if rest.starts_with("{{") => text("{", 2),
        '}' if rest.starts_with("}}") => text("}", 2),
        '}' => Err("a '}' without '{'; write '}}' for a brace".into()),
        '{' => {
            let end = rest.find('}').ok_or("a '{' without '}'; write '{{' for a brace")?;
            field(&rest[1..end]).map(|field| (Part::Field(field), end + 1))
        }
        '\\' => match rest.as_bytes().get(1) {
            Some(b't') => text("\t", 2),
            Some(b'n') => text("\n", 2),
            Some(b'0') => text("\0", 2),
            Some(b'\\') => text("\\", 2),
            _ => text("\\", 1),
        },
        c => text(&rest[..c.len_utf8()], c.len_utf8()),
    }
}

fn field(name: &str) -> Result<&'static Field, String> {
    let name = name.trim();
    let names = || FIELDS.iter().map(|field| field.name);
    FIELDS.iter().find(|field| field.name == name).ok_or_else(|| {
        let fields = names().collect::<Vec<_>>().join(", ");
        match nearest(name, names()) {
            Some(known) => format!("unknown field '{}'; did you mean '{known}'?", quote(name)),
            None => format!("unknown field '{}'; there are {fields}", quote(name)),
        }
    })
}

/// A value on one line without tabs, so that it is one field for `cut` and fzf.
fn clean(value: &str) -> String {
    collapse_spaces(&sanitize(value)).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ctl::search::shown::tests::shown;

    #[test]
    fn fields_escapes_and_braces() {
        let check = |template: &str, expected: &str| {
            let line = Template::parse(template).unwrap().line(&shown());
            assert_eq!(line, format!("{expected}\n"), "{template}");
        };
        check("{id}\\t{title}", "o7\tA b c");
        check("{{{id}}} \\\\ \\x", "{o7} \\ \\x");
        check("{project}|{external_id}|{session}", "app|12|");
        check("", "");
        check("記{ id }", "記o7");
    }

    #[test]
    fn a_mistake_is_named() {
        let check = |template: &str, expected: &str| {
            let error = Template::parse(template).err().unwrap();
            assert!(error.starts_with(expected), "{template}: {error}");
        };
        check("{titel}", "unknown field 'titel'; did you mean 'title'?");
        check("{qqqqqqqqqq}", "unknown field 'qqqqqqqqqq'; there are id, title");
        check("{id", "a '{' without '}'");
        check("id}", "a '}' without '{'");
    }
}
