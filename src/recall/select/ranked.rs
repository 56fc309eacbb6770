//! Rows by their sums of weights, best first.

use crate::store::words::{RowId, of_rowid};

/// The rows with the largest sums, best first. They are sorted piece by piece: mostly the first is enough.
pub struct Ranked {
    /// Sums, ids and rowids; the rest is not sorted yet.
    rows: Vec<(f64, i64, i64)>,
    sorted: usize,
    next: usize,
}

impl Ranked {
    pub fn new(sums: Vec<(i64, f64)>) -> Ranked {
        let row = |(rowid, sum)| Some((sum, of_rowid(rowid)?.1.id, rowid));
        Ranked { rows: sums.into_iter().filter_map(row).collect(), sorted: 0, next: 0 }
    }
}

impl Iterator for Ranked {
    type Item = RowId;

    fn next(&mut self) -> Option<RowId> {
        const PIECE: usize = 200;
        if self.next == self.sorted {
            let best_first = |a: &(f64, i64, i64), b: &(f64, i64, i64)| {
                b.0.total_cmp(&a.0).then_with(|| (b.1, b.2).cmp(&(a.1, a.2)))
            };
            let rest = &mut self.rows[self.sorted..];
            let n = PIECE.min(rest.len());
            if n < rest.len() {
                rest.select_nth_unstable_by(n, best_first);
            }
            rest[..n].sort_unstable_by(best_first);
            self.sorted += n;
        }
        let row = self.rows.get(self.next).filter(|_| self.next < self.sorted)?;
        self.next += 1;
        Some(of_rowid(row.2)?.1)
    }
}
