//! Pages that were fetched, and searches of the web.

use crate::activity::{Activity, Event, fit};
use crate::memory::{Evidence, Origin, Page};

const MAX_PAGES: usize = 24;
/// Maximum number of characters of the address or search, and of the page.
const SUBJECT: usize = 200;
const EXCERPT: usize = 300;

pub fn add(evidence: &mut Evidence, event: &Event) {
    let (subject, excerpt) = match event.activity {
        Activity::Web { subject, excerpt } => (subject, excerpt),
        Activity::Run(run) => match &run.fetched {
            Some(subject) => (subject, &run.excerpt),
            None => return,
        },
        _ => return,
    };
    let id = event.message.id;
    let subject = fit(subject, SUBJECT);
    if let Some(page) = evidence.pages.iter_mut().find(|page| page.subject == subject) {
        page.sources.push(id);
    } else if evidence.pages.len() < MAX_PAGES {
        let excerpt =
            fit(excerpt.get(..excerpt.floor_char_boundary(4 * EXCERPT)).unwrap_or(""), EXCERPT);
        evidence.pages.push(Page { subject, excerpt, origin: Origin::Web, sources: vec![id] });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::testing::Session;

    #[test]
    fn a_page_is_kept_once() {
        let mut session = Session::default();
        let input = serde_json::json!({ "url": "https://example.org/a", "prompt": "p" });
        session.tool("WebFetch", &input, r#"{"result":"A page about locks"}"#);
        session.tool("WebFetch", &input, r#"{"result":"again"}"#);
        let curl = serde_json::json!({ "command": "curl -s https://example.org/b" });
        session.tool("Bash", &curl, r#"{"stdout":"text"}"#);
        session.tool("Bash", &serde_json::json!({ "command": "ls" }), "x");
        let pages = session.fold(add).pages;
        let found: Vec<_> =
            pages.iter().map(|p| (p.subject.as_str(), p.excerpt.as_str())).collect();
        assert_eq!(
            found,
            [("https://example.org/a", "A page about locks"), ("https://example.org/b", "text")]
        );
        assert_eq!(pages[0].sources, [1, 2]);
    }
}
