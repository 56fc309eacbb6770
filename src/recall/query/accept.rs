//! Whether a row meets the conditions of a query.

use super::{Projects, Query};
use crate::memory::Origin;
use crate::recall::terms::Terms;
use crate::store::words::{EVERYWHERE, StoredRow};
use crate::terms;
use crate::text::Needle;

impl Query {
    /// Whether the row meets the filters, has the phrases and has none of the left-out words.
    pub fn accepts(&self, row: &StoredRow, for_injection: bool) -> bool {
        let is_expired = row.expires_at_epoch.is_some_and(|at| at <= self.now);
        let is_told = row.origin != Origin::Web
            && !(row.quarantined || row.hidden || row.superseded || is_expired);
        (is_told || !for_injection)
            && self.is_in_projects(row)
            && self.fits(row)
            && self.has_texts(row)
    }

    fn is_in_projects(&self, row: &StoredRow) -> bool {
        match &self.projects {
            Projects::All => true,
            Projects::Some(ids) => {
                row.scope.project == EVERYWHERE || ids.contains(&row.scope.project)
            }
        }
    }

    fn fits(&self, row: &StoredRow) -> bool {
        let f = &self.filters;
        let begins =
            |id: &Option<String>, want: &str| id.as_ref().is_some_and(|id| id.starts_with(want));
        let is_any = f.kinds.is_empty() && f.types.is_empty();
        (is_any || f.kinds.contains(&row.row.kind) || f.types.contains(&row.kind))
            && (f.origins.is_empty() || f.origins.contains(&row.origin))
            && f.session.as_ref().is_none_or(|want| begins(&row.session, want))
            && f.not_session.as_ref().is_none_or(|not| row.session.as_ref() != Some(not))
            && f.branch.as_ref().is_none_or(|want| row.branch.as_ref() == Some(want))
            && f.after.is_none_or(|after| row.created_at_epoch >= after)
            && f.before.is_none_or(|before| row.created_at_epoch < before)
            && f.files.iter().all(|want| row.files.iter().any(|path| is_in(path, want)))
    }

    fn has_texts(&self, row: &StoredRow) -> bool {
        let has = |text: &String| {
            let needle = Needle::new(text);
            row.document.parts().iter().any(|part| needle.is_in(part))
        };
        self.phrases.iter().all(has) && !self.excluded.iter().any(|text| has_words(row, text))
    }
}

/// Whether the row has all words of the text.
fn has_words(row: &StoredRow, text: &str) -> bool {
    let terms = Terms::of(text, &[]);
    let mut has = vec![false; terms.list.len()];
    for part in row.document.parts() {
        terms::visit(part, |token| {
            if let Some(term) = terms.find(&token) {
                has[term] = true;
            }
        });
    }
    !has.is_empty() && has.iter().all(|has| *has)
}

/// Whether the path is `want`, ends with it or lies in it.
fn is_in(path: &str, want: &str) -> bool {
    let want = want.trim_matches('/');
    path.match_indices(want).any(|(at, _)| {
        let before = path[..at].chars().next_back();
        let after = path[at + want.len()..].chars().next();
        before.is_none_or(|c| c == '/') && after.is_none_or(|c| c == '/')
    })
}
