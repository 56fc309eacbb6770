//! Prints rows with their budgets as a table, and returns them as JSON.

use serde_json::{Value, json};

use crate::measure::Samples;

/// One measured value.
pub struct Row {
    pub name: String,
    pub unit: &'static str,
    pub value: f64,
    pub p99: Option<f64>,
    pub runs: usize,
    /// The comparison with another row: the text to print, and the ratio or difference.
    pub against: Option<(String, f64)>,
    pub budget: Option<Budget>,
}

/// A limit.
pub struct Budget {
    pub text: String,
    pub met: bool,
}

impl Row {
    pub fn time(samples: &Samples) -> Row {
        Row {
            name: samples.name.to_owned(),
            unit: "ms",
            value: samples.median(),
            p99: Some(samples.p99()),
            runs: samples.len(),
            against: None,
            budget: None,
        }
    }

    /// Compares the current build with the `--against` build: both medians, and the ratio of the
    /// current one to the other.
    pub fn comparison(current: &Samples, against: &Samples) -> Row {
        let (new, old) = (current.median(), against.median());
        let text = format!("{new:.2} / {old:.2} ms = {:.3} ×", new / old);
        let name = format!("{}, --against", against.name);
        Row { name, against: Some((text, new / old)), ..Row::time(against) }
    }

    /// A value that was measured once.
    pub fn single(name: &str, value: f64, unit: &'static str) -> Row {
        Row { name: name.into(), unit, value, p99: None, runs: 1, against: None, budget: None }
    }

    /// Limits the value to `most`, in the row's unit.
    pub fn at_most(mut self, most: f64) -> Row {
        let text = format!("≤ {most} {}", self.unit);
        self.budget = Some(Budget { text, met: self.value <= most });
        self
    }

    /// Requires at least `least`, in the row's unit.
    pub fn at_least(mut self, least: f64) -> Row {
        let text = format!("≥ {least} {}", self.unit);
        self.budget = Some(Budget { text, met: self.value >= least });
        self
    }

    /// Limits the 99th percentile to `most`, in the row's unit.
    pub fn p99_at_most(mut self, most: f64) -> Row {
        let met = self.p99.is_some_and(|p99| p99 <= most);
        self.budget = Some(Budget { text: format!("p99 ≤ {most} {}", self.unit), met });
        self
    }

    /// Limits the median to `most` times that of `floor`.
    pub fn at_most_times(mut self, most: f64, floor: &Samples) -> Row {
        let ratio = self.value / floor.median();
        self.against = Some((format!("{ratio:.2} × {}", floor.name), ratio));
        self.budget = Some(Budget { text: format!("≤ {most} ×"), met: ratio <= most });
        self
    }

    /// Limits the 99th percentile to `most` times `reference`, whose name is `what`.
    pub fn p99_at_most_times(mut self, most: f64, reference: f64, what: &str) -> Row {
        let ratio = self.p99.unwrap_or(f64::INFINITY) / reference;
        self.against = Some((format!("p99 {ratio:.2} × {what}"), ratio));
        self.budget = Some(Budget { text: format!("≤ {most} ×"), met: ratio <= most });
        self
    }

    /// Limits the median to that of `floor` plus `most` milliseconds.
    pub fn at_most_above(mut self, most: f64, floor: &Samples) -> Row {
        let above = self.value - floor.median();
        self.against = Some((format!("{} + {above:.2} ms", floor.name), above));
        self.budget = Some(Budget { text: format!("≤ + {most} ms"), met: above <= most });
        self
    }
}

/// The results of a run.
#[derive(Default)]
pub struct Report {
    rows: Vec<Row>,
    not_measured: Vec<String>,
}

impl Report {
    pub fn row(&mut self, row: Row) {
        println!("{}", table_line(&row));
        self.rows.push(row);
    }

    pub fn not_measured(&mut self, why: String) {
        println!("  not measured: {why}");
        self.not_measured.push(why);
    }

    /// Returns the samples of a case, or reports why there are none.
    pub fn samples_or_report(&mut self, samples: Result<Samples, String>) -> Option<Samples> {
        samples.map_err(|why| self.not_measured(why)).ok()
    }

    pub fn summary(&self) -> String {
        let n_over = self.rows.iter().filter(|r| r.budget.as_ref().is_some_and(|b| !b.met)).count();
        format!(
            "{} rows, {n_over} over budget, {} not measured",
            self.rows.len(),
            self.not_measured.len()
        )
    }

    pub fn to_json(&self) -> Value {
        let rows: Vec<_> = self.rows.iter().map(row_json).collect();
        json!({ "rows": rows, "not_measured": self.not_measured })
    }
}

pub fn heading(text: &str) {
    println!("\n{text}\n{:<46} {:>10} {:>9}  {:<38} budget", "", "median", "p99", "");
}

fn table_line(row: &Row) -> String {
    let p99 = row.p99.map(|p| format!("{p:.2}")).unwrap_or_default();
    let against = row.against.as_ref().map_or("", |(text, _)| text);
    let budget = match &row.budget {
        Some(Budget { text, met: true }) => format!("{text}  ok"),
        Some(Budget { text, met: false }) => format!("{text}  OVER"),
        None => String::new(),
    };
    let digits = if matches!(row.unit, "times" | "events" | "rows/s" | "") { 0 } else { 2 };
    let value = format!("{:.digits$} {}", row.value, row.unit);
    format!("  {:<44} {value:>10} {p99:>9}  {against:<38} {budget}", row.name).trim_end().to_owned()
}

fn row_json(row: &Row) -> Value {
    json!({
        "name": row.name,
        "unit": row.unit,
        "value": row.value,
        "p99": row.p99,
        "runs": row.runs,
        "against": row.against.as_ref().map(|(text, _)| text),
        "compared": row.against.as_ref().map(|(_, number)| number),
        "budget": row.budget.as_ref().map(|b| &b.text),
        "kept": row.budget.as_ref().map(|b| b.met),
    })
}
