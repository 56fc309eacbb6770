//! `memctl stats`: how much was kept, and what models were used and cost for it.

use serde::Serialize;
use serde_json::json;

use super::format::{self, count, dollars, or_dash, short, tokens};
use super::style::{ID, PLAIN};
use super::table::{Cell, Column, column, table};
use super::terminal::{self, wrapped};
use crate::clock;
use crate::config::{Agent, Settings, parse_duration};
use crate::failure::{Context, Result, usage};
use crate::store::Reader;
use crate::store::stats::{self, Group, GroupBy};
use crate::store::usage::{self as ledger, Used};
use crate::text::sanitize;

const HELP: &str = "\
Examples
  memctl stats                          the last 30 days
  memctl stats --by project --since 7d  today and six days before
  memctl stats --by session --since 2026-11-01
  memctl stats --by backend --json | jq '.groups[] | [.name, .cost]'

Columns
  SESS    sessions with anything in the group
  EVENTS  taken in, as far as they are still known (queue.keep)
  OBS     observations
  CALLS   of models; extractive makes none
  IN      tokens sent, OUT those that came back
  COST    in US dollars, by agent.prices or by the provider's own word

Keys of --json
  by           day, project, session or backend
  since_epoch  what came before is not counted
  groups       an object for each: name, sessions, prompts, events, observations, turns, input_tokens, output_tokens, cost, unpriced, estimated
  total        the same over all groups, without a name
  today        turns, tokens and cost so far, and their budgets (0: none)
";

/// Count what was kept, and what models used and cost
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// Of what the groups are
    #[arg(long, value_enum, default_value_t = Grouping::Day)]
    by: Grouping,
    /// From when on: a day as 2026-11-01, or so long ago as 7d; whole days
    #[arg(long, value_name = "TIME", default_value = "30d")]
    since: String,
    /// Print an object
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Grouping {
    Day,
    Project,
    Session,
    Backend,
}

/// One group, or all of them. Keys are stable; more may come.
#[derive(Serialize)]
struct Row {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Option<String>>,
    sessions: u64,
    prompts: Option<u64>,
    events: Option<u64>,
    observations: u64,
    turns: u64,
    input_tokens: u64,
    output_tokens: u64,
    cost: f64,
    unpriced: u64,
    estimated: u64,
}

const COLUMNS: [Column; 9] = [
    column("").cut(10),
    column("SESS").right().dispensable(3),
    column("PROMPTS").right(),
    column("EVENTS").right(),
    column("OBS").right(),
    column("CALLS").right().dispensable(2),
    column("IN").right(),
    column("OUT").right().dispensable(1),
    column("COST").right(),
];

pub fn run(settings: &Settings, args: &Args) -> Result<()> {
    let by = match args.by {
        Grouping::Day => GroupBy::Day,
        Grouping::Project => GroupBy::Project,
        Grouping::Session => GroupBy::Session,
        Grouping::Backend => GroupBy::Backend,
    };
    let now = clock::now_ms();
    let agent = &settings.config.agent;
    let Some(reader) = Reader::open(&settings.paths, super::PATIENCE).context("database")? else {
        check_since(&args.since)?;
        return nothing(args, agent);
    };
    let conn = reader.connection();
    let since = since(conn, &args.since, now)?;
    let groups = stats::report(conn, by, since).context("database")?;
    let total = stats::total(conn, since).context("database")?;
    let today = ledger::local_day(conn, now).context("database")?;
    let today = ledger::of_day(conn, &today).context("database")?;
    if args.json {
        let named = |group: Group| Row { name: Some(name(&group)), ..row(&group, args.by) };
        return super::print_json(&json!({
            "by": word(args.by), "since_epoch": since,
            "total": row_of_total(&total), "today": of_today(today, agent),
            "groups": groups.into_iter().map(named).collect::<Vec<_>>(),
        }));
    }
    if groups.is_empty() {
        return super::print("nothing was kept in that time\n");
    }
    let mut out = listed(&groups, args.by);
    out.push_str(&format!("\n{}", in_words(&total)));
    out.push_str(&notes(&total));
    if today.turns > 0 || agent.backend != "extractive" {
        out.push_str(&wrapped("today: ", 7, &against_budget(today, agent), terminal::width()));
    }
    super::print(&out)
}

fn listed(groups: &[Group], by: Grouping) -> String {
    let width = terminal::width();
    let ids: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
    let id_length = format::id_length(&ids, width);
    let cells = |group: &Group| -> [Cell; 9] {
        let own = by != Grouping::Backend;
        let number = |n: u64, known: bool| if known { n.to_string() } else { "-".into() };
        let (name, style) = match by {
            Grouping::Session => (short(&group.name, id_length), ID),
            _ => (sanitize(&group.name), PLAIN),
        };
        [
            Cell::painted(or_dash(&name), style),
            group.sessions.to_string().into(),
            number(group.prompts, own).into(),
            number(group.events, own).into(),
            group.observations.to_string().into(),
            group.turns.to_string().into(),
            tokens(group.input_tokens).into(),
            tokens(group.output_tokens).into(),
            dollars(group.cost).into(),
        ]
    };
    let rows: Vec<[Cell; 9]> = groups.iter().map(cells).collect();
    let mut columns = COLUMNS;
    columns[0] = match by {
        Grouping::Day => column("DAY"),
        Grouping::Project => column("PROJECT").cut(7),
        Grouping::Session => column("SESSION").cut(13),
        Grouping::Backend => column("BACKEND"),
    };
    table(&columns, &rows, width)
}

fn in_words(total: &Group) -> String {
    let kept = format!(
        "{}, {}, {}, {}",
        count(total.sessions, "session"),
        count(total.prompts, "prompt"),
        count(total.events, "event"),
        count(total.observations, "observation"),
    );
    let used = match total.turns {
        0 => "no model was used".to_owned(),
        n => format!(
            "{} of models, {} tokens in and {} out, {}",
            count(n, "call"),
            tokens(total.input_tokens),
            tokens(total.output_tokens),
            dollars(total.cost),
        ),
    };
    wrapped("total: ", 7, &format!("{kept}; {used}"), terminal::width())
}

/// What the numbers do not say by themselves.
fn notes(total: &Group) -> String {
    let mut out = String::new();
    let mut note = |text: String| out.push_str(&wrapped("note:  ", 7, &text, terminal::width()));
    if total.unpriced > 0 {
        let n = count(total.unpriced, "call");
        note(format!("{n} of a model without a price count as the dearest known: agent.prices"));
    }
    if total.estimated > 0 {
        let n = count(total.estimated, "call");
        note(format!("{n} not answered for in full, counted at an estimate"));
    }
    out
}

/// What a day used, beside what it may use.
pub fn against_budget(used: Used, agent: &Agent) -> String {
    let budget = agent.budget.day;
    let of = |limit: Option<String>| limit.map_or_else(String::new, |limit| format!(" of {limit}"));
    let some = |limit: u64| (limit > 0).then_some(limit);
    format!(
        "{}{}, {}{} tokens, {}{} calls",
        dollars(used.cost),
        of((budget.cost > 0.0).then(|| dollars(budget.cost))),
        tokens(used.tokens),
        of(some(budget.tokens).map(tokens)),
        used.turns,
        of(some(budget.turns).map(|n| n.to_string())),
    )
}

fn of_today(used: Used, agent: &Agent) -> serde_json::Value {
    let budget = agent.budget.day;
    json!({
        "turns": used.turns, "tokens": used.tokens, "cost": used.cost,
        "turns_budget": budget.turns, "tokens_budget": budget.tokens, "cost_budget": budget.cost,
    })
}

fn nothing(args: &Args, agent: &Agent) -> Result<()> {
    if args.json {
        return super::print_json(&json!({
            "by": word(args.by), "since_epoch": null, "groups": [],
            "total": row_of_total(&Group::default()), "today": of_today(Used::default(), agent),
        }));
    }
    super::print("nothing to count: nothing remembered yet\n")
}

fn row(group: &Group, by: Grouping) -> Row {
    let own = by != Grouping::Backend;
    Row {
        prompts: own.then_some(group.prompts),
        events: own.then_some(group.events),
        ..row_of_total(group)
    }
}

fn row_of_total(group: &Group) -> Row {
    Row {
        name: None,
        sessions: group.sessions,
        prompts: Some(group.prompts),
        events: Some(group.events),
        observations: group.observations,
        turns: group.turns,
        input_tokens: group.input_tokens,
        output_tokens: group.output_tokens,
        cost: group.cost,
        unpriced: group.unpriced,
        estimated: group.estimated,
    }
}

fn name(group: &Group) -> Option<String> {
    Some(group.name.clone()).filter(|name| !name.is_empty())
}

fn word(by: Grouping) -> &'static str {
    match by {
        Grouping::Day => "day",
        Grouping::Project => "project",
        Grouping::Session => "session",
        Grouping::Backend => "backend",
    }
}

/// The beginning of the day that is meant. `7d`: seven days, today among them.
fn since(conn: &rusqlite::Connection, text: &str, now: i64) -> Result<i64> {
    if let Some(began) = stats::parse_day(conn, text).context("database")? {
        return Ok(began);
    }
    const DAY: i64 = 86_400_000;
    let span = parse_duration(text).ok_or_else(|| wrong_time(text))?.as_millis();
    let back = i64::try_from(span).unwrap_or(i64::MAX).saturating_sub(DAY).clamp(0, now);
    stats::day_start(conn, now - back).context("database")
}

/// The same where there is nothing to look into.
fn check_since(text: &str) -> Result<()> {
    let day = text.parse::<jiff::civil::Date>().is_ok();
    if day || parse_duration(text).is_some() { Ok(()) } else { Err(wrong_time(text)) }
}

fn wrong_time(text: &str) -> crate::failure::Failure {
    usage(format!("'{text}' is no time")).hint("write 2026-11-01, or 7d")
}
