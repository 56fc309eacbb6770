//! The columns that a statement writes, each beside its value.

use rusqlite::{ParamsFromIter, ToSql, params_from_iter};

/// A value that is bound to a statement.
type Bound<'a> = Box<dyn ToSql + 'a>;

/// Names of columns and their values, in the order of the statement's parameters.
#[derive(Default)]
pub struct Columns<'a> {
    names: Vec<&'static str>,
    values: Vec<Bound<'a>>,
}

impl<'a> Columns<'a> {
    pub fn set(mut self, name: &'static str, value: impl ToSql + 'a) -> Columns<'a> {
        self.names.push(name);
        self.values.push(Box::new(value));
        self
    }

    /// These columns, then the others.
    pub fn and(mut self, others: Columns<'a>) -> Columns<'a> {
        self.names.extend(others.names);
        self.values.extend(others.values);
        self
    }

    /// `title, kind`
    pub fn names(&self) -> String {
        self.names.join(", ")
    }

    /// `?, ?`
    pub fn places(&self) -> String {
        vec!["?"; self.names.len()].join(", ")
    }

    /// `title = ?, kind = ?`
    pub fn assignments(&self) -> String {
        format!("{} = ?", self.names.join(" = ?, "))
    }

    /// `title = excluded.title, kind = excluded.kind`
    pub fn replacements(&self) -> String {
        let assignment = |name: &&str| format!("{name} = excluded.{name}");
        self.names.iter().map(assignment).collect::<Vec<_>>().join(", ")
    }

    /// The parameters of a statement: the values, then `last`.
    pub fn bind(mut self, last: &[i64]) -> ParamsFromIter<Vec<Bound<'a>>> {
        self.values.extend(last.iter().map(|id| Box::new(*id) as Bound));
        params_from_iter(self.values)
    }
}
