//! The parts of the score. A test switches each of them off, to see that it decides something.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Rare words count more.
    Idf,
    /// Short rows count as longer ones.
    Floor,
    /// The words of a passage count once more.
    Passages,
    /// A short row's passage reaches into its neighbours.
    Neighbours,
    /// Words that stand together as in the query.
    Pairs,
}

#[cfg(not(test))]
pub const fn is_on(_: Part) -> bool {
    true
}

#[cfg(test)]
pub use tests::is_on;

#[cfg(test)]
pub mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        static OFF: Cell<Option<Part>> = const { Cell::new(None) };
    }

    pub fn is_on(part: Part) -> bool {
        OFF.get() != Some(part)
    }

    /// Runs `search` without a part of the score.
    pub fn without<T>(part: Part, search: impl FnOnce() -> T) -> T {
        OFF.set(Some(part));
        let found = search();
        OFF.set(None);
        found
    }
}
