//! Tables without borders, two spaces between columns, one line per row.
//!
//! A table that is too wide for the terminal truncates cells with `…`, then drops columns. In a
//! pipe it is complete.

use owo_colors::Style;
use unicode_width::UnicodeWidthStr;

use super::style::{HEAD, PLAIN, paint};
use crate::text::{escape, truncate_columns, truncate_columns_start};

const GAP: usize = 2;

/// A column and how it shrinks.
#[derive(Clone, Copy)]
pub struct Column {
    head: &'static str,
    right: bool,
    /// Cells may be truncated to this width.
    least: Option<usize>,
    /// Cells lose their beginning.
    keeps_end: bool,
    /// 0: never dropped. Otherwise the column with the highest rank is dropped first.
    dispensable: u8,
    hidden: bool,
}

/// A left-aligned column that is neither truncated nor dropped.
pub const fn column(head: &'static str) -> Column {
    Column { head, right: false, least: None, keeps_end: false, dispensable: 0, hidden: false }
}

impl Column {
    /// Aligns cells to the right.
    pub const fn right(self) -> Column {
        Column { right: true, ..self }
    }

    /// Allows cells to be truncated to `least` columns.
    pub const fn cut(self, least: usize) -> Column {
        Column { least: Some(least), ..self }
    }

    /// Truncates cells at their beginning: the end of a path says more.
    pub const fn keep_end(self) -> Column {
        Column { keeps_end: true, ..self }
    }

    /// Omits the column unless the condition holds.
    pub const fn only_if(self, is_shown: bool) -> Column {
        Column { hidden: !is_shown, ..self }
    }

    /// Allows the column to be dropped. The highest rank is dropped first.
    pub const fn dispensable(self, rank: u8) -> Column {
        Column { dispensable: rank, ..self }
    }
}

pub struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    pub fn painted(text: impl Into<String>, style: Style) -> Cell {
        Cell { text: escape(&text.into()).into_owned(), style }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Cell {
        Cell::painted(text, PLAIN)
    }
}

/// Renders the head and the rows. `width` is the width of the terminal, if stdout is one.
pub fn table<const N: usize>(
    columns: &[Column; N],
    rows: &[[Cell; N]],
    width: Option<usize>,
) -> String {
    let natural: Vec<usize> = (0..N)
        .map(|c| rows.iter().map(|r| r[c].text.width()).fold(columns[c].head.width(), usize::max))
        .collect();
    let widths = fit(columns, &natural, width);
    let head: Vec<Cell> = columns.iter().map(|c| Cell::painted(c.head, HEAD)).collect();
    let heads = columns.map(|column| Column { keeps_end: false, ..column });
    let head = line(&heads, &widths, &head);
    head + &rows.iter().map(|row| line(columns, &widths, row)).collect::<String>()
}

/// The width of each column; `None` for dropped columns.
fn fit(columns: &[Column], natural: &[usize], width: Option<usize>) -> Vec<Option<usize>> {
    let shown = columns.iter().zip(natural).map(|(c, width)| (!c.hidden).then_some(*width));
    let mut widths: Vec<Option<usize>> = shown.collect();
    let Some(width) = width else { return widths };
    let total = |widths: &[Option<usize>]| {
        let n = widths.iter().flatten().count();
        widths.iter().flatten().sum::<usize>() + GAP * n.saturating_sub(1)
    };
    let least = |c: usize| columns[c].least.map_or(natural[c], |least| natural[c].min(least));
    loop {
        let smallest: Vec<_> = (0..columns.len()).map(|c| widths[c].map(|_| least(c))).collect();
        let dropped = (0..columns.len())
            .filter(|c| widths[*c].is_some() && columns[*c].dispensable > 0)
            .max_by_key(|c| columns[*c].dispensable);
        match dropped {
            Some(c) if total(&smallest) > width => widths[c] = None,
            _ => break,
        }
    }
    // Shrink the widest column by one until the row fits.
    while total(&widths) > width {
        let widest = (0..columns.len())
            .filter(|c| columns[*c].least.is_some() && widths[*c].is_some_and(|w| w > least(*c)))
            .max_by_key(|c| widths[*c]);
        match widest.and_then(|c| widths[c].as_mut()) {
            Some(w) => *w -= 1,
            None => break,
        }
    }
    widths
}

fn line(columns: &[Column], widths: &[Option<usize>], cells: &[Cell]) -> String {
    let mut out = String::new();
    let mut blanks = 0;
    for (c, cell) in cells.iter().enumerate() {
        let Some(width) = widths[c] else { continue };
        let text = match columns[c].keeps_end {
            true => truncate_columns_start(&cell.text, width),
            false => truncate_columns(&cell.text, width),
        };
        let rest = width - text.width();
        let (before, after) = if columns[c].right { (rest, 0) } else { (0, rest) };
        if !text.is_empty() {
            out.push_str(&" ".repeat(blanks + before));
            out.push_str(&paint(&text, cell.style));
            blanks = after + GAP;
        } else {
            blanks += width + GAP;
        }
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 4] = [
        column("ID"),
        column("NAME").cut(4),
        column("N").right(),
        column("AGE").right().dispensable(1),
    ];

    fn check(width: Option<usize>, want: &[&str]) {
        let row = |id: &str, name: &str, n: &str| -> [Cell; 4] {
            [id.into(), name.into(), n.into(), "12min".into()]
        };
        let rows = [row("a", "a long name", "1"), row("bcd", "", "100")];
        let plain = anstream::adapter::strip_str(&table(&COLUMNS, &rows, width)).to_string();
        assert_eq!(plain.lines().collect::<Vec<_>>(), want, "{width:?}");
    }

    #[test]
    fn a_path_keeps_its_end() {
        let columns = [column("DIRECTORY").cut(10).keep_end()];
        let rows = [["/home/user/記憶/importer".into()], ["/srv".into()]];
        let plain =
            |width| anstream::adapter::strip_str(&table(&columns, &rows, width)).to_string();
        assert_eq!(plain(Some(14)), "DIRECTORY\n…記憶/importer\n/srv\n");
        assert_eq!(plain(None), "DIRECTORY\n/home/user/記憶/importer\n/srv\n");
    }

    #[test]
    fn cells_are_truncated_before_columns_are_dropped() {
        let whole = [
            "ID   NAME           N    AGE",
            "a    a long name    1  12min",
            "bcd               100  12min",
        ];
        check(None, &whole);
        check(Some(200), &whole);
        check(Some(28), &whole);
        check(
            Some(27),
            &[
                "ID   NAME          N    AGE",
                "a    a long na…    1  12min",
                "bcd              100  12min",
            ],
        );
        check(
            Some(21),
            &["ID   NAME    N    AGE", "a    a l…    1  12min", "bcd        100  12min"],
        );
        check(Some(20), &["ID   NAME          N", "a    a long na…    1", "bcd              100"]);
        let path = [column("N"), column("DIRECTORY").cut(4).keep_end()];
        let cut = table(&path, &[["1".into(), "/home/user/tally".into()]], Some(9));
        let plain = anstream::adapter::strip_str(&cut).to_string();
        assert_eq!(plain, "N  DIREC…\n1  …tally\n");
        // Narrower than the mandatory columns: the smallest layout.
        check(Some(5), &["ID   NAME    N", "a    a l…    1", "bcd        100"]);
    }
}
