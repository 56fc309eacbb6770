//! Whether a row meets the conditions of a query.

use rusqlite::Connection;

use super::{Projects, Query};
use crate::memory::Origin;
use crate::recall::Filters;
use crate::recall::terms::Terms;
use crate::store;
use crate::store::words::{self, EVERYWHERE, RowId, RowKind, StoredRow};
use crate::terms;
use crate::text::Needle;

impl Query {
    /// Whether the row meets the filters, has the phrases and has none of the left-out words.
    pub fn accepts(&self, row: &StoredRow, for_injection: bool) -> bool {
        let is_expired = row.is_expired(self.now);
        let is_told = row.origin != Origin::Web
            && !(row.quarantined || row.hidden || row.superseded || is_expired);
        (is_told || !for_injection) && self.fits(row) && self.has_texts(row)
    }

    /// Whether the row holds in every project, or belongs to one of those that are searched, or is told there.
    pub fn is_in_projects(&self, conn: &Connection, row: &StoredRow) -> store::Result<bool> {
        let Projects::Some(ids) = &self.projects else { return Ok(true) };
        if row.scope.project == EVERYWHERE || ids.contains(&row.scope.project) {
            return Ok(true);
        }
        Ok(words::scopes(conn, row)?.iter().any(|scope| ids.contains(&scope.project)))
    }

    /// Whether a row with these traits may meet the filters. [`Query::accepts`] decides.
    pub fn may_accept(&self, conn: &Connection, row: RowId) -> store::Result<bool> {
        let f = &self.filters;
        if !f.kinds.is_empty() && f.types.is_empty() && !f.kinds.contains(&row.kind) {
            return Ok(false);
        }
        // The rows of one session to leave out are few: reading them costs less than asking every row.
        let asked = Filters { kinds: Vec::new(), not_session: None, ..f.clone() };
        if asked == Filters::default() {
            return Ok(true);
        }
        let Some(traits) = words::traits(conn, row)? else { return Ok(false) };
        // JSON escapes these characters.
        let is_plain = |path: &str| !path.contains(['"', '\\']);
        let has = |path: &String| !is_plain(path) || traits.paths.contains(path.trim_matches('/'));
        let session = traits.session.as_deref();
        Ok(self.fits_basics(
            row.kind,
            &traits.kind,
            traits.origin,
            session,
            traits.created_at_epoch,
        ) && f.files.iter().all(has))
    }

    /// Whether rows are filtered by more than what [`RowId`] tells.
    pub fn has_filters(&self) -> bool {
        Filters { kinds: Vec::new(), ..self.filters.clone() } != Filters::default()
    }

    fn fits(&self, row: &StoredRow) -> bool {
        let f = &self.filters;
        let session = row.session.as_deref();
        self.fits_basics(row.row.kind, &row.kind, row.origin, session, row.created_at_epoch)
            && f.branch.as_ref().is_none_or(|want| row.branch.as_ref() == Some(want))
            && f.files.iter().all(|want| row.files.iter().any(|path| is_in(path, want)))
    }

    fn fits_basics(
        &self,
        row: RowKind,
        kind: &str,
        origin: Origin,
        session: Option<&str>,
        created_at_epoch: i64,
    ) -> bool {
        let f = &self.filters;
        let is_any = f.kinds.is_empty() && f.types.is_empty();
        (is_any || f.kinds.contains(&row) || f.types.iter().any(|want| want == kind))
            && (f.origins.is_empty() || f.origins.contains(&origin))
            && f.session.as_ref().is_none_or(|want| session.is_some_and(|id| id.starts_with(want)))
            && f.not_session.as_ref().is_none_or(|not| session != Some(not))
            && f.after.is_none_or(|after| created_at_epoch >= after)
            && f.before.is_none_or(|before| created_at_epoch < before)
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
