use proptest::prelude::*;

use super::super::testing::{memory, write};
use super::*;
use crate::config::Config;

const HAIKU: &str = "claude-haiku-4-5";

fn agent(file: &str) -> Agent {
    let config = Config::from(&|_| None, Some(file), false);
    assert!(config.problems.is_empty(), "{:?}", config.problems);
    Agent::clone(&config.agent)
}

/// The schema and two sessions.
fn store() -> Connection {
    let conn = memory();
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

fn try_open(conn: &mut Connection, call: &Call, agent: &Agent, now: i64) -> Reservation {
    write(conn, |tx| reserve(tx, call, agent, now))
}

#[track_caller]
fn room(conn: &mut Connection, call: &Call, agent: &Agent, now: i64) -> i64 {
    match try_open(conn, call, agent, now) {
        Reservation::Granted(id) => id,
        Reservation::OverBudget(spent) => panic!("{spent}"),
    }
}

#[track_caller]
fn no_room(conn: &mut Connection, call: &Call, agent: &Agent, now: i64) -> String {
    match try_open(conn, call, agent, now) {
        Reservation::Granted(id) => panic!("row {id}"),
        Reservation::OverBudget(spent) => spent.to_string(),
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
fn what_is_open_counts_at_its_estimate_and_what_is_settled_at_the_truth() {
    let mut conn = store();
    let agent = agent("[agent.budget]\nsession_tokens = 1000\nday_tokens = 0");
    let big = call(1, HAIKU, tokens(500, 100));
    let first = room(&mut conn, &big, &agent, 0);
    let full = no_room(&mut conn, &big, &agent, 0);
    assert!(full.contains("agent.budget.session_tokens"), "{full}");
    room(&mut conn, &call(2, HAIKU, tokens(500, 100)), &agent, 0);
    let complete = CallOutcome::Complete(tokens(300, 50));
    write(&mut conn, |tx| settle(tx, first, complete, &agent, 5));
    assert_eq!(row(&conn, first), ("complete".into(), 300, 50, 0.00055, true));
    assert_eq!(of_session(&conn, 1).unwrap().tokens, 350);
    room(&mut conn, &big, &agent, 0);
    // A second word on it changes nothing.
    write(&mut conn, |tx| settle(tx, first, CallOutcome::Unknown, &agent, 6));
    assert_eq!(row(&conn, first).0, "complete");
}

#[test]
fn unknown_is_not_zero_and_a_part_is_not_the_whole() {
    let mut conn = store();
    let agent = agent("");
    let estimate = call(1, HAIKU, tokens(1000, 200));
    let open = |conn: &mut Connection| room(conn, &estimate, &agent, 0);
    let (unknown, part, stays) = (open(&mut conn), open(&mut conn), open(&mut conn));
    write(&mut conn, |tx| {
        settle(tx, unknown, CallOutcome::Unknown, &agent, 1)?;
        settle(tx, part, CallOutcome::Partial(tokens(1500, 10)), &agent, 1)
    });
    assert_eq!(row(&conn, unknown), ("unknown".into(), 1000, 200, 0.002, true));
    assert_eq!(row(&conn, part), ("partial".into(), 1500, 200, 0.0025, true));
    assert_eq!(row(&conn, stays), ("open".into(), 1000, 200, 0.002, true));
}

/// Budgets of which one is set, and the others are none.
fn only(name: &str, limit: &str) -> Agent {
    let names =
        ["session_tokens", "day_tokens", "session_turns", "day_turns", "session_cost", "day_cost"];
    let lines = names.map(|n| format!("{n} = {}\n", if n == name { limit } else { "0" }));
    agent(&format!("[agent.budget]\n{}", lines.concat()))
}

#[test]
fn every_budget_holds_and_names_itself() {
    let check = |name: &str, limit: &str, calls: i64, want: &str| {
        let agent = only(name, limit);
        let mut conn = store();
        for n in 1..=calls {
            let session = if name.starts_with("day") { 1 + n % 2 } else { 1 };
            room(&mut conn, &call(session, HAIKU, tokens(900_000, 20_000)), &agent, 7);
        }
        let said = no_room(&mut conn, &call(1, HAIKU, tokens(900_000, 20_000)), &agent, 7);
        assert!(said.contains(want) && said.contains(&format!("agent.budget.{name}")), "{said}");
        let told = notices::list(&conn).unwrap();
        assert!(told[0].1.contains("extractive carries on"), "{told:?}");
    };
    check(
        "day_cost",
        "2.5",
        2,
        "the day's budget for models is spent, $2.50, agent.budget.day_cost: $2.00 are",
    );
    check("session_cost", "1.5", 1, "a session's budget for models is spent, $1.50");
    check("day_turns", "3", 3, "the day's budget for models is spent, 3 calls");
    check("session_turns", "1", 1, "a session's budget for models is spent, 1 call, ");
    check("day_tokens", "1900000", 2, "1840000 are used");
    check("session_tokens", "1000000", 1, "920000 are used");
}

#[test]
fn a_budget_of_nothing_is_none() {
    let agent = only("", "0");
    let mut conn = store();
    for _ in 0..20 {
        room(&mut conn, &call(1, HAIKU, tokens(10_000_000, 10_000_000)), &agent, 0);
    }
}

#[test]
fn a_new_day_has_room_again_and_says_no_more() {
    let mut conn = store();
    let agent = agent("[agent.budget]\nday_turns = 1\nsession_turns = 0");
    let small = call(1, HAIKU, tokens(10, 10));
    room(&mut conn, &small, &agent, DAY);
    no_room(&mut conn, &small, &agent, DAY);
    assert_eq!(notices::list(&conn).unwrap().len(), 1);
    no_room(&mut conn, &small, &agent, DAY);
    assert_eq!(notices::list(&conn).unwrap().len(), 1, "one notice a day");
    // Forgetting a session forgets nothing of what it cost.
    conn.execute("DELETE FROM sessions WHERE id = 1", []).unwrap();
    assert_eq!(of_day(&conn, &local_day(&conn, DAY).unwrap()).unwrap().turns, 1);
    let small = call(2, HAIKU, tokens(10, 10));
    room(&mut conn, &small, &agent, 3 * DAY);
    assert!(notices::list(&conn).unwrap().is_empty());
}

#[test]
fn a_model_without_a_price_counts_as_the_dearest() {
    let mut conn = store();
    let agent = agent("");
    let id = room(&mut conn, &call(1, "some-new-model", tokens(1000, 1000)), &agent, 0);
    assert_eq!(row(&conn, id), ("open".into(), 1000, 1000, 0.09, false));
    let said = Usage { cost: Some(0.01), ..tokens(1000, 1000) };
    write(&mut conn, |tx| settle(tx, id, CallOutcome::Complete(said), &agent, 0));
    assert_eq!(row(&conn, id), ("complete".into(), 1000, 1000, 0.01, true));
}

#[test]
fn the_providers_cache_has_prices_of_its_own() {
    let (price, _) = agent("").price("anthropic", HAIKU);
    let usage =
        Usage { input: 10_000, output: 100, cache_read: 8000, cache_write: 1000, cost: None };
    let dollars = cost(&usage, &price);
    assert!((dollars - (1000.0 + 500.0 + 800.0 + 1250.0) / 1e6).abs() < 1e-12, "{dollars}");
    // More from the cache than was sent is a provider's mistake, and no money back.
    let odd = Usage { input: 10, cache_read: 100, ..Usage::default() };
    assert!(cost(&odd, &price) > 0.0);
}

proptest! {
    /// Whatever is asked and however it ends, no budget is exceeded but by what an answer
    /// used beyond its estimate.
    #[test]
    fn budgets_hold(calls in prop::collection::vec((1i64..=2, 1u64..2000, 1u64..500, 0u8..4), 1..40)) {
        let agent = agent(
            "[agent.budget]\nsession_tokens = 6000\nday_tokens = 9000\nsession_turns = 9\n\
             day_turns = 14\nsession_cost = 0.005\nday_cost = 0.008",
        );
        let mut conn = store();
        for (session, input, output, end) in calls {
            let Reservation::Granted(id) =
                try_open(&mut conn, &call(session, HAIKU, tokens(input, output)), &agent, 0)
            else { continue };
            let outcome = match end {
                0 => continue,
                1 => CallOutcome::Unknown,
                2 => CallOutcome::Partial(tokens(input / 2, 0)),
                _ => CallOutcome::Complete(tokens(input, output / 2)),
            };
            write(&mut conn, |tx| settle(tx, id, outcome, &agent, 0));
        }
        let day = local_day(&conn, 0).unwrap();
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
