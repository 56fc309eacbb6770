use proptest::prelude::*;

use super::super::testing::{in_memory_db, write};
use super::*;
use crate::config::Config;

const HAIKU: &str = "claude-haiku-4-5";

fn agent(file: &str) -> Agent {
    let config = Config::of_text(file);
    assert!(config.problems.is_empty(), "{:?}", config.problems);
    Agent::clone(&config.agent)
}

/// A database with two sessions.
fn store() -> Connection {
    let conn = in_memory_db();
    conn.execute_batch(
        "INSERT INTO sessions (id, uuid, client, content_session_id, started_at_epoch,
           last_event_epoch) VALUES (1, 'u1', 'c', 's1', 0, 0), (2, 'u2', 'c', 's2', 0, 0)",
    )
    .unwrap();
    conn
}

fn tokens(input: u64, output: u64) -> Usage {
    Usage { input, output, ..Usage::default() }
}

fn call(session_id: i64, model: &str, estimate: Usage) -> Call<'_> {
    Call { session_id: Some(session_id), backend: "anthropic", model, estimate }
}

fn try_reserve(conn: &mut Connection, call: &Call, agent: &Agent, now: i64) -> Reservation {
    write(conn, |tx| reserve(tx, call, agent, now))
}

#[track_caller]
fn granted(conn: &mut Connection, call: &Call, agent: &Agent, now: i64) -> i64 {
    match try_reserve(conn, call, agent, now) {
        Reservation::Granted(id) => id,
        Reservation::OverBudget(over) => panic!("{over}"),
    }
}

#[track_caller]
fn denied(conn: &mut Connection, call: &Call, agent: &Agent, now: i64) -> String {
    match try_reserve(conn, call, agent, now) {
        Reservation::Granted(id) => panic!("row {id}"),
        Reservation::OverBudget(over) => over.to_string(),
    }
}

fn row(conn: &Connection, id: i64) -> (String, i64, i64, f64, bool) {
    conn.query_row(
        "SELECT status, input_tokens, output_tokens, cost, priced FROM agent_usage WHERE id = ?1",
        [id],
        |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?)),
    )
    .unwrap()
}

const DAY: i64 = 86_400_000;

#[test]
fn an_open_call_counts_at_its_estimate_and_a_settled_one_at_its_usage() {
    let mut conn = store();
    let agent = agent("[agent.budget]\nsession_tokens = 1000\nday_tokens = 0");
    let big = call(1, HAIKU, tokens(500, 100));
    let first = granted(&mut conn, &big, &agent, 0);
    let full = denied(&mut conn, &big, &agent, 0);
    assert!(full.contains("agent.budget.session_tokens"), "{full}");
    granted(&mut conn, &call(2, HAIKU, tokens(500, 100)), &agent, 0);
    let complete = CallOutcome::Complete(tokens(300, 50));
    write(&mut conn, |tx| settle(tx, first, complete, &agent, 5));
    assert_eq!(row(&conn, first), ("complete".into(), 300, 50, 0.00055, true));
    assert_eq!(of_session(&conn, 1).unwrap().tokens, 350);
    granted(&mut conn, &big, &agent, 0);
    // Settling again changes nothing.
    write(&mut conn, |tx| settle(tx, first, CallOutcome::Unknown, &agent, 6));
    assert_eq!(row(&conn, first).0, "complete");
}

#[test]
fn unknown_and_partial_usage_count_at_least_at_the_estimate() {
    let mut conn = store();
    let agent = agent("");
    let estimate = call(1, HAIKU, tokens(1000, 200));
    let open = |conn: &mut Connection| granted(conn, &estimate, &agent, 0);
    let (unknown, part, stays) = (open(&mut conn), open(&mut conn), open(&mut conn));
    write(&mut conn, |tx| {
        settle(tx, unknown, CallOutcome::Unknown, &agent, 1)?;
        settle(tx, part, CallOutcome::Partial(tokens(1500, 10)), &agent, 1)
    });
    assert_eq!(row(&conn, unknown), ("unknown".into(), 1000, 200, 0.002, true));
    assert_eq!(row(&conn, part), ("partial".into(), 1500, 200, 0.0025, true));
    assert_eq!(row(&conn, stays), ("open".into(), 1000, 200, 0.002, true));
}

/// An agent with one budget set and the others unlimited.
fn only(name: &str, limit: &str) -> Agent {
    let names =
        ["session_tokens", "day_tokens", "session_turns", "day_turns", "session_cost", "day_cost"];
    let lines = names.map(|n| format!("{n} = {}\n", if n == name { limit } else { "0" }));
    agent(&format!("[agent.budget]\n{}", lines.concat()))
}

#[test]
fn each_budget_is_enforced_and_named() {
    let check = |name: &str, limit: &str, calls: i64, want: &str| {
        let agent = only(name, limit);
        let mut conn = store();
        for n in 1..=calls {
            let session = if name.starts_with("day") { 1 + n % 2 } else { 1 };
            granted(&mut conn, &call(session, HAIKU, tokens(900_000, 20_000)), &agent, 7);
        }
        let message = denied(&mut conn, &call(1, HAIKU, tokens(900_000, 20_000)), &agent, 7);
        assert!(
            message.contains(want) && message.contains(&format!("agent.budget.{name}")),
            "{message}"
        );
        let notices = notices::list(&conn).unwrap();
        assert!(notices[0].1.contains("extractive takes over"), "{notices:?}");
    };
    check(
        "day_cost",
        "2.5",
        2,
        "the day's model budget of $2.50 is used up (agent.budget.day_cost): $2.00 used",
    );
    check("session_cost", "1.5", 1, "a session's model budget of $1.50 is used up");
    check("day_turns", "3", 3, "the day's model budget of 3 calls is used up");
    check("session_turns", "1", 1, "a session's model budget of 1 call is used up");
    check("day_tokens", "1900000", 2, "1840000 used");
    check("session_tokens", "1000000", 1, "920000 used");
}

#[test]
fn a_budget_of_zero_is_unlimited() {
    let agent = only("", "0");
    let mut conn = store();
    for _ in 0..20 {
        granted(&mut conn, &call(1, HAIKU, tokens(10_000_000, 10_000_000)), &agent, 0);
    }
}

#[test]
fn a_new_day_resets_the_budget_and_the_notice() {
    let mut conn = store();
    let agent = agent("[agent.budget]\nday_turns = 1\nsession_turns = 0");
    let small = call(1, HAIKU, tokens(10, 10));
    granted(&mut conn, &small, &agent, DAY);
    denied(&mut conn, &small, &agent, DAY);
    assert_eq!(notices::list(&conn).unwrap().len(), 1);
    denied(&mut conn, &small, &agent, DAY);
    assert_eq!(notices::list(&conn).unwrap().len(), 1, "one notice a day");
    // Forgetting a session keeps its usage.
    conn.execute("DELETE FROM sessions WHERE id = 1", []).unwrap();
    assert_eq!(of_day(&conn, &clock::machine_day(DAY)).unwrap().turns, 1);
    let small = call(2, HAIKU, tokens(10, 10));
    granted(&mut conn, &small, &agent, 3 * DAY);
    assert!(notices::list(&conn).unwrap().is_empty());
}

#[test]
fn a_model_without_a_price_counts_at_the_highest_price() {
    let mut conn = store();
    let agent = agent("");
    let id = granted(&mut conn, &call(1, "some-new-model", tokens(1000, 1000)), &agent, 0);
    assert_eq!(row(&conn, id), ("open".into(), 1000, 1000, 0.09, false));
    let reported = Usage { cost: Some(0.01), ..tokens(1000, 1000) };
    write(&mut conn, |tx| settle(tx, id, CallOutcome::Complete(reported), &agent, 0));
    assert_eq!(row(&conn, id), ("complete".into(), 1000, 1000, 0.01, true));
}

#[test]
fn cached_tokens_have_their_own_prices() {
    let (price, _) = agent("").price("anthropic", HAIKU);
    let usage =
        Usage { input: 10_000, output: 100, cache_read: 8000, cache_write: 1000, cost: None };
    let dollars = cost(&usage, &price);
    assert!((dollars - (1000.0 + 500.0 + 800.0 + 1250.0) / 1e6).abs() < 1e-12, "{dollars}");
    // A provider that reports more cached tokens than input tokens does not make the cost negative.
    let odd = Usage { input: 10, cache_read: 100, ..Usage::default() };
    assert!(cost(&odd, &price) > 0.0);
}

proptest! {
    // Each case creates a database.
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// For any calls and outcomes, usage never exceeds a budget by more than answers exceeded their
    /// estimates.
    #[test]
    fn budgets_hold(calls in prop::collection::vec((1i64..=2, 1u64..2000, 1u64..500, 0u8..4), 1..40)) {
        let agent = agent(
            "[agent.budget]\nsession_tokens = 6000\nday_tokens = 9000\nsession_turns = 9\n\
             day_turns = 14\nsession_cost = 0.005\nday_cost = 0.008",
        );
        let mut conn = store();
        for (session, input, output, end) in calls {
            let Reservation::Granted(id) =
                try_reserve(&mut conn, &call(session, HAIKU, tokens(input, output)), &agent, 0)
            else { continue };
            let outcome = match end {
                0 => continue,
                1 => CallOutcome::Unknown,
                2 => CallOutcome::Partial(tokens(input / 2, 0)),
                _ => CallOutcome::Complete(tokens(input, output / 2)),
            };
            write(&mut conn, |tx| settle(tx, id, outcome, &agent, 0));
        }
        let day = clock::machine_day(0);
        for (used, most) in [
            (of_session(&conn, 1).unwrap(), agent.budget.session),
            (of_session(&conn, 2).unwrap(), agent.budget.session),
            (of_day(&conn, &day).unwrap(), agent.budget.day),
        ] {
            prop_assert!(used.tokens <= most.tokens && used.turns <= most.turns);
            prop_assert!(used.cost <= most.cost + 1e-9);
        }
    }
}
