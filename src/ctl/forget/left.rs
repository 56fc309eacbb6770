//! Places that may still hold a forgotten text, because nothing can be deleted from them.

use super::Args;
use super::files::Search;
use crate::config::Settings;
use crate::spool;
use crate::text::Needle;

/// Says that dead letters are kept, unless their texts were searched.
pub fn unread_dead_letters(settings: &Settings, args: &Args) -> Option<String> {
    let are_kept = args.ids.is_empty() || spool::dead_letters::count(&settings.paths) == 0;
    let dir = settings.paths.dead_letters();
    (!are_kept).then(|| format!("unreadable event files are kept in {dir}"))
}

/// The quarantined databases that contain the text, or all of them if there is no text to search
/// for. They are damaged, so that nothing can be deleted from them.
pub fn damaged_databases(settings: &Settings, args: &Args) -> Vec<String> {
    let needles: Vec<Needle> = args.query.as_deref().map(Needle::new).into_iter().collect();
    let mut left = Vec::new();
    for dir in settings.paths.quarantined_databases() {
        let mut search = Search::default();
        search.add_dir(&dir, &needles);
        if needles.is_empty() {
            left.push(format!("a damaged database is kept in {dir}"));
        } else if !search.found.is_empty() {
            left.push(format!("the damaged database in {dir} contains the text; delete it"));
        } else if let Some((place, why)) = search.unread.first() {
            left.push(format!("cannot read {place}: {why}"));
        }
    }
    left
}
