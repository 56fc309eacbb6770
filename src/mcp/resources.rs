//! Summaries as resources, which a user can attach in the client: `memctl://summary/s37`.

use std::path::PathBuf;

use rmcp::model::{Resource, ResourceTemplate};

use super::place::{self, Asked};
use super::{answers, text};
use crate::failure::Result;
use crate::store::summaries;
use crate::store::words::{self, RowKind};
use crate::text::truncate;

const PREFIX: &str = "memctl://summary/";

/// Summaries of each project that are listed, the newest ones.
const MAX_LISTED: usize = 20;

/// Maximum characters of a title.
const MAX_TITLE: usize = 80;

pub fn template() -> ResourceTemplate {
    ResourceTemplate::new(format!("{PREFIX}{{id}}"), "summary")
        .with_description("What a turn of a session did, by its id, such as s37")
        .with_mime_type("text/plain")
}

/// The short name in a URI: `s37`.
pub fn id(uri: &str) -> Option<String> {
    let id = uri.strip_prefix(PREFIX)?;
    summaries::parse_id(id).map(|_| id.to_owned())
}

/// The newest summaries of the client's projects.
pub fn list(roots: Vec<PathBuf>) -> Result<Vec<Resource>> {
    if roots.is_empty() {
        return Ok(Vec::new());
    }
    let asked = Asked::Roots(roots);
    let settings = place::settings(&asked)?;
    let Some(reader) = answers::open(&settings)? else { return Ok(Vec::new()) };
    let conn = reader.connection();
    let mut listed = Vec::new();
    for project in place::places(Some(conn), &asked)?.iter().filter_map(|place| place.id) {
        let rows = words::newest(conn, Some(project), MAX_LISTED)?;
        for row in rows.iter().filter(|row| row.kind == RowKind::Summary) {
            let Some(summary) = summaries::by_id(conn, row.id)? else {
                continue;
            };
            if summary.hidden {
                continue;
            }
            let title = text::of_user(&summary.summary.request);
            let title = truncate(title.lines().next().unwrap_or_default(), MAX_TITLE);
            let title = if title.is_empty() { row.to_string() } else { title };
            listed.push(
                Resource::new(format!("{PREFIX}{row}"), row.to_string())
                    .with_title(title)
                    .with_mime_type("text/plain"),
            );
        }
    }
    Ok(listed)
}

/// The text of a summary. `None` if there is no such summary.
pub fn read(id: &str) -> Result<Option<String>> {
    let settings = place::settings(&Asked::Anywhere)?;
    let Some(reader) = answers::open(&settings)? else { return Ok(None) };
    let row = summaries::by_name(reader.connection(), id)?;
    Ok(row.map(|row| text::summary(&row)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_named_by_its_summary() {
        assert_eq!(id("memctl://summary/s37").as_deref(), Some("s37"));
        for uri in ["memctl://summary/o37", "memctl://summary/", "memctl://x/s37", "file:///s37"] {
            assert_eq!(id(uri), None, "{uri}");
        }
    }
}
