//! Tables that fit the terminal: no borders, columns two spaces apart, cut at the terminal's
//! width, whole in a pipe.

use comfy_table::{ContentArrangement, Table, presets};

/// A table with a head row.
pub fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(head.iter().map(|h| h.to_string()));
    match terminal_width() {
        Some(width) => {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        }
        None => {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
    }
    table
}

/// The rows as text, without the blanks that pad the last column.
pub fn text(table: &mut Table) -> String {
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.to_string().lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// Columns of the terminal on stdout; none in a pipe. `COLUMNS` wins, as everywhere.
pub fn terminal_width() -> Option<u16> {
    let told = crate::config::process_env("COLUMNS").and_then(|c| c.to_str()?.parse().ok());
    let measured = || terminal_size::terminal_size_of(std::io::stdout());
    told.filter(|n| *n > 0).or_else(|| measured().map(|(width, _)| width.0))
}
