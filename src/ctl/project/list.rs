//! `memctl project list`.

use serde_json::json;

use crate::clock;
use crate::config::Settings;
use crate::ctl::format::{age, or_dash};
use crate::ctl::open;
use crate::ctl::table::{Cell, Column, column, table};
use crate::ctl::terminal;
use crate::failure::Result;
use crate::store::projects::{self, KnownProject};
use crate::text::escape;

const COLUMNS: [Column; 5] = [
    column("PROJECT").cut(12),
    column("SESSIONS").right().dispensable(1),
    column("OBSERVATIONS").right().dispensable(2),
    column("LAST").right(),
    column("DIRECTORY").cut(16).keep_end(),
];

pub fn run(settings: &Settings, as_json: bool) -> Result<()> {
    let reader = open::reader(settings)?;
    let known = match &reader {
        Some(reader) => projects::list(reader.connection())?,
        None => Vec::new(),
    };
    if as_json {
        return crate::ctl::print_json(&known.iter().map(object).collect::<Vec<_>>());
    }
    if known.is_empty() {
        return crate::ctl::print("no projects\n");
    }
    let now = clock::now_ms();
    let row = |p: &KnownProject| -> [Cell; 5] {
        [
            or_dash(&escape(&p.name)).into(),
            p.sessions.to_string().into(),
            p.observations.to_string().into(),
            p.last_event_epoch.map_or("-".into(), |epoch| age(epoch, now)).into(),
            or_dash(&escape(&p.root)).into(),
        ]
    };
    let rows: Vec<[Cell; 5]> = known.iter().map(row).collect();
    crate::ctl::print(&table(&COLUMNS, &rows, terminal::width()))
}

fn object(p: &KnownProject) -> serde_json::Value {
    json!({
        "name": p.name, "root": p.root, "keys": p.keys, "separate": p.separate,
        "sessions": p.sessions, "observations": p.observations,
        "last_event_epoch": p.last_event_epoch,
    })
}
