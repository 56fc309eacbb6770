//! `memctl stats`: counts of stored memories, and model usage and cost.

use serde::Serialize;
use serde_json::json;

use super::format::{self, count, dollars, or_dash, short, tokens};
use super::open;
use super::style::{ID, PLAIN};
use super::table::{Cell, Column, column, table};
use super::terminal::{self, wrapped};
use crate::clock;
use crate::config::{Agent, Settings, parse_duration};
use crate::failure::{Result, usage};
use crate::store::stats::{self, Group, GroupBy};
use crate::store::usage::{self as ledger, Used};
use crate::text::sanitize;

const HELP: &str = "\
Examples
  memctl stats                                    Count the last 30 days
  memctl stats --by project --since 7d            Count today and the six days before
  memctl stats --by session --since 2026-11-01    Count from this day on
  memctl stats --by backend --json | jq '.groups[] | [.name, .cost]'

Columns
  SESS    Sessions in the group
  EVENTS  Events of the last 90 days (queue.keep)
  OBS     Observations
  CALLS   Model calls; the extractive backend makes none
  IN      Tokens sent
  OUT     Tokens received
  COST    US dollars, as reported by the provider or computed from agent.prices

Keys of --json
  by           day, project, session or backend
  since_epoch  Start of the period
  groups       One object per group: name, sessions, prompts, events, observations, turns, \
input_tokens, output_tokens, cost, unpriced, estimated
  total        The same counts over all groups, without a name
  today        turns, tokens and cost of today with their budgets (0: unlimited)
";

/// Count stored memories and show model usage and cost
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// What to group by
    #[arg(long, value_enum, default_value_t = Grouping::Day)]
    by: Grouping,
    /// Start of the period: a day (2026-11-01) or an age (7d), rounded to whole days
    #[arg(long, value_name = "TIME", default_value = "30d")]
    since: String,
    /// Print a JSON object
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

/// The counts of a group or of all groups. The keys are stable.
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
    let Some(reader) = open::reader(settings)? else {
        check_since(&args.since)?;
        return print_empty(args, agent);
    };
    let conn = reader.connection();
    let since = since(conn, &args.since, now)?;
    let groups = stats::report(conn, by, since)?;
    let total = stats::total(conn, since)?;
    let today = clock::machine_day(now);
    let today = ledger::of_day(conn, &today)?;
    if args.json {
        let named = |group: Group| Row { name: Some(group_name(&group)), ..row(&group, args.by) };
        return super::print_json(&json!({
            "by": grouping_name(args.by), "since_epoch": since,
            "total": row_of_total(&total), "today": of_today(today, agent),
            "groups": groups.into_iter().map(named).collect::<Vec<_>>(),
        }));
    }
    if groups.is_empty() {
        return super::print("nothing was stored in this period\n");
    }
    let mut out = group_table(&groups, args.by);
    out.push_str(&format!("\n{}", total_line(&total)));
    out.push_str(&notes(&total));
    if today.turns > 0 || agent.backend != "extractive" {
        out.push_str(&wrapped("today: ", 7, &against_budget(today, agent), terminal::width()));
    }
    super::print(&out)
}

fn group_table(groups: &[Group], by: Grouping) -> String {
    let width = terminal::width();
    let ids: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
    let id_length = format::id_length(&ids, width);
    let cells = |group: &Group| -> [Cell; 9] {
        let counts_events = by != Grouping::Backend;
        let number = |n: u64, known: bool| if known { n.to_string() } else { "-".into() };
        let (name, style) = match by {
            Grouping::Session => (short(&group.name, id_length), ID),
            _ => (sanitize(&group.name), PLAIN),
        };
        [
            Cell::painted(or_dash(&name), style),
            group.sessions.to_string().into(),
            number(group.prompts, counts_events).into(),
            number(group.events, counts_events).into(),
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

fn total_line(total: &Group) -> String {
    let stored = format!(
        "{}, {}, {}, {}",
        count(total.sessions, "session"),
        count(total.prompts, "prompt"),
        count(total.events, "event"),
        count(total.observations, "observation"),
    );
    let used = match total.turns {
        0 => "no model calls".to_owned(),
        n => format!(
            "{}, {} tokens in, {} out, {}",
            count(n, "model call"),
            tokens(total.input_tokens),
            tokens(total.output_tokens),
            dollars(total.cost),
        ),
    };
    wrapped("total: ", 7, &format!("{stored}; {used}"), terminal::width())
}

/// Notes about costs that are not exact.
fn notes(total: &Group) -> String {
    let mut out = String::new();
    let mut note = |text: String| out.push_str(&wrapped("note:  ", 7, &text, terminal::width()));
    if total.unpriced > 0 {
        let n = count(total.unpriced, "call");
        note(format!("{n} without a known price, counted at the highest one; set agent.prices"));
    }
    if total.estimated > 0 {
        let n = count(total.estimated, "call");
        note(format!("{n} without complete usage data, counted at an estimate"));
    }
    out
}

/// The usage of a day next to its budget: `$0.31 of $3.00, 21k of 3.0M tokens, 12 of 1000 calls`.
pub fn against_budget(used: Used, agent: &Agent) -> String {
    let budget = agent.budget.day;
    let of_limit =
        |limit: Option<String>| limit.map_or_else(String::new, |limit| format!(" of {limit}"));
    let limited = |limit: u64| (limit > 0).then_some(limit);
    format!(
        "{}{}, {}{} tokens, {}{} calls",
        dollars(used.cost),
        of_limit((budget.cost > 0.0).then(|| dollars(budget.cost))),
        tokens(used.tokens),
        of_limit(limited(budget.tokens).map(tokens)),
        used.turns,
        of_limit(limited(budget.turns).map(|n| n.to_string())),
    )
}

fn of_today(used: Used, agent: &Agent) -> serde_json::Value {
    let budget = agent.budget.day;
    json!({
        "turns": used.turns, "tokens": used.tokens, "cost": used.cost,
        "turns_budget": budget.turns, "tokens_budget": budget.tokens, "cost_budget": budget.cost,
    })
}

fn print_empty(args: &Args, agent: &Agent) -> Result<()> {
    if args.json {
        return super::print_json(&json!({
            "by": grouping_name(args.by), "since_epoch": null, "groups": [],
            "total": row_of_total(&Group::default()), "today": of_today(Used::default(), agent),
        }));
    }
    super::print("nothing to count: nothing is stored yet\n")
}

fn row(group: &Group, by: Grouping) -> Row {
    let counts_events = by != Grouping::Backend;
    Row {
        prompts: counts_events.then_some(group.prompts),
        events: counts_events.then_some(group.events),
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

fn group_name(group: &Group) -> Option<String> {
    Some(group.name.clone()).filter(|name| !name.is_empty())
}

fn grouping_name(by: Grouping) -> &'static str {
    match by {
        Grouping::Day => "day",
        Grouping::Project => "project",
        Grouping::Session => "session",
        Grouping::Backend => "backend",
    }
}

/// The start of the first day of the period. `7d` means seven days including today.
fn since(conn: &rusqlite::Connection, text: &str, now: i64) -> Result<i64> {
    if let Some(start) = stats::parse_day(conn, text)? {
        return Ok(start);
    }
    const DAY: i64 = 86_400_000;
    let span = parse_duration(text).ok_or_else(|| invalid_time(text))?.as_millis();
    let back = i64::try_from(span).unwrap_or(i64::MAX).saturating_sub(DAY).clamp(0, now);
    Ok(stats::day_start(conn, now - back)?)
}

/// Checks the argument of `--since` when there is no database.
fn check_since(text: &str) -> Result<()> {
    let day = text.parse::<jiff::civil::Date>().is_ok();
    if day || parse_duration(text).is_some() { Ok(()) } else { Err(invalid_time(text)) }
}

fn invalid_time(text: &str) -> crate::failure::Failure {
    usage(format!("invalid value '{text}' for --since"))
        .hint("use a day (2026-11-01) or an age (7d)")
}
