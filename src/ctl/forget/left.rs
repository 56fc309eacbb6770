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

/// The databases beside the present one that contain the text, or all of them if there is no text to
/// search for. Nothing is deleted from them: they are damaged, or the copy that the user kept of what
/// `memctl restore` replaced.
pub fn databases_set_aside(settings: &Settings, args: &Args) -> Vec<String> {
    let needles: Vec<Needle> = args.searched().map(Needle::new).into_iter().collect();
    let mut left = Vec::new();
    for dir in settings.paths.databases_set_aside() {
        let is_damaged = dir.file_name().to_string_lossy().starts_with("corrupt-");
        let kind = if is_damaged { "damaged database" } else { "database before a restore" };
        let mut search = Search::default();
        search.add_dir(&dir, &needles);
        if needles.is_empty() {
            left.push(format!("a {kind} is kept in {dir}"));
        } else if !search.found.is_empty() {
            left.push(format!("the {kind} in {dir} contains the text; delete that directory"));
        } else if let Some((place, why)) = search.unread.first() {
            left.push(format!("cannot read {place}: {why}"));
        }
    }
    left
}
