//! Texts of edits that were refused or killed. `memctl forget` removes them with their memories.

use crate::files::Place;
use crate::paths::Paths;
use crate::text::Needle;

/// Removes the texts of these memories (`o412`), and those with one of the needles. An editor may have
/// left copies beside them.
pub fn remove(paths: &Paths, names: &[String], needles: &[Needle]) {
    for file in paths.edits().entries() {
        let name = file.file_name().to_string_lossy().into_owned();
        let is_of =
            |id: &String| name.split(|c: char| !c.is_ascii_alphanumeric()).any(|part| part == id);
        if names.iter().any(is_of) || has_text(&file, needles) {
            let _ = file.remove_file();
        }
    }
}

fn has_text(file: &Place, needles: &[Needle]) -> bool {
    !needles.is_empty()
        && file.read().is_ok_and(|bytes| Needle::any_in(needles, &String::from_utf8_lossy(&bytes)))
}
