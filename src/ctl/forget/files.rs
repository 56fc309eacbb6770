//! Searches the bytes of memctl's files for texts.
//!
//! In a process that has the database open, only SQLite may open its files. These functions run
//! while it is closed.

use std::io::{self, Read};

use crate::files::Place;
use crate::text::Needle;

/// A file is searched in pieces of this size.
const PIECE: usize = 256 << 10;

/// What a search has read, and where it found a text.
#[derive(Debug, Default)]
pub struct Search {
    /// Number of files that were read.
    pub files: u64,
    /// Their total size.
    pub bytes: u64,
    /// The files that contain one of the texts.
    pub found: Vec<Place>,
    /// The files and directories that could not be read, and why.
    pub unread: Vec<(Place, String)>,
}

impl Search {
    /// Searches all regular files below a directory. Does not follow links.
    pub fn add_dir(&mut self, dir: &Place, needles: &[Needle]) {
        let mut names = match dir.names() {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return,
            Err(e) => return self.unread.push((dir.clone(), e.to_string())),
            Ok(names) => names,
        };
        names.sort();
        for place in names.into_iter().map(|name| dir.join(name)) {
            match place.stat() {
                Ok(stat) if stat.is_dir() => self.add_dir(&place, needles),
                Ok(stat) if stat.is_file() => self.add_file(place, needles),
                // Links, sockets and files that were removed meanwhile hold no text of memctl.
                Ok(_) | Err(_) => {}
            }
        }
    }

    fn add_file(&mut self, place: Place, needles: &[Needle]) {
        match search(&place, needles) {
            Ok((n_bytes, contains)) => {
                self.files += 1;
                self.bytes += n_bytes;
                if contains {
                    self.found.push(place);
                }
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => self.unread.push((place, e.to_string())),
        }
    }
}

/// The size of a file, and whether it contains one of the texts. Two pieces overlap by the longest
/// match, so that a match at their border is found.
fn search(place: &Place, needles: &[Needle]) -> io::Result<(u64, bool)> {
    let mut file = place.open()?;
    let overlap = needles.iter().map(Needle::max_len).max().unwrap_or_default();
    let (mut piece, mut n_bytes, mut contains) = (Vec::new(), 0, false);
    loop {
        let n = file.by_ref().take(PIECE as u64).read_to_end(&mut piece)?;
        n_bytes += n as u64;
        let text = String::from_utf8_lossy(&piece);
        contains = contains || Needle::any_in(needles, &text);
        if n < PIECE {
            return Ok((n_bytes, contains));
        }
        piece.drain(..piece.len().saturating_sub(overlap));
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_text_is_found_at_every_position() {
        let temp = tempfile::tempdir().unwrap();
        fs::create_dir(temp.path().join("dir")).unwrap();
        let dir = Place::in_dir(temp.path(), "dir");
        let needles = [Needle::new("ünïcode")];
        let word = "Ünïcode".as_bytes();
        for at in [0, PIECE - word.len(), PIECE - 4, PIECE - 1, PIECE, 2 * PIECE - 3, 2 * PIECE + 9]
        {
            let mut bytes = vec![0xff; at];
            bytes.extend(word);
            bytes.extend([0; 5]);
            fs::write(dir.join("file"), &bytes).unwrap();
            let mut search = Search::default();
            search.add_dir(&dir, &needles);
            assert_eq!((search.files, search.bytes), (1, bytes.len() as u64));
            assert_eq!(search.found, [dir.join("file")], "at {at}");
        }
        fs::write(dir.join("file"), vec![b'x'; PIECE]).unwrap();
        let mut search = Search::default();
        search.add_dir(&dir, &needles);
        assert!(search.found.is_empty() && search.unread.is_empty());
    }
}
