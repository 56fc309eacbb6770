//! The usage ledger: model calls, and the budgets that limit them.
//!
//! A call is recorded before it is made, at its maximum usage, in the transaction that checks the
//! budgets. Two workers therefore cannot spend the same remainder. The call is settled when its
//! answer reports the usage. If its worker died or no answer came, the row keeps the estimate,
//! which is at least what the call used.
//!
//! A day begins at midnight in the machine's time zone.

use std::fmt;

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::error::Result;
use super::notices;
use crate::clock;
use crate::config::{Agent, Allowance, Price};
use crate::memory::{CallOutcome, Usage};

/// Prefix of the kind of a notice about an exhausted budget. The day and the scope follow it.
pub const NOTICE: &str = "budget:";

/// A call that is about to be made.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Row id of the session; `None` for a trial by `memctl doctor`.
    pub session_id: Option<i64>,
    pub backend: &'a str,
    pub model: &'a str,
    /// Maximum usage: the tokens of the request and of the longest possible answer.
    pub estimate: Usage,
}

/// Whether a call may be made.
#[derive(Clone, Debug, PartialEq)]
pub enum Reservation {
    /// Yes, and it is recorded in the row with this id. The caller settles the row after the call.
    Granted(i64),
    /// No. Nothing was recorded except a notice for the user.
    OverBudget(OverBudget),
}

/// A budget that is too small for one more call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OverBudget {
    pub scope: BudgetScope,
    pub measure: Measure,
    pub used: f64,
    pub limit: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BudgetScope {
    Session,
    Day,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    Tokens,
    Turns,
    Cost,
}

/// Usage so far, of a session or of a day.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Used {
    pub turns: u64,
    pub tokens: u64,
    pub cost: f64,
}

/// Reserves the maximum usage of a call, or returns the budget that does not allow it.
pub fn reserve(tx: &Transaction, call: &Call, agent: &Agent, now: i64) -> Result<Reservation> {
    let (price, priced) = agent.price(call.backend, call.model);
    let day = clock::machine_day(now);
    let cost = cost(&call.estimate, &price);
    let requested = Used { turns: 1, tokens: call.estimate.input + call.estimate.output, cost };
    let session_limit = match call.session_id {
        Some(id) => {
            exceeded(of_session(tx, id)?, requested, agent.budget.session, BudgetScope::Session)
        }
        None => None,
    };
    if let Some(over) =
        session_limit.or(exceeded(of_day(tx, &day)?, requested, agent.budget.day, BudgetScope::Day))
    {
        let kind = format!("{NOTICE}{day}:{}", over.scope.as_str());
        notices::put(tx, &kind, &format!("{} on {day}: extractive takes over", over.budget()))?;
        return Ok(Reservation::OverBudget(over));
    }
    notices::clear(tx, NOTICE, &format!("{NOTICE}{day}:"))?;
    let estimate = &call.estimate;
    tx.prepare_cached(
        "INSERT INTO agent_usage (day, session_id, backend, model, input_tokens, output_tokens,
           cache_read_tokens, cache_write_tokens, cost, priced, created_at_epoch)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?
    .execute(params![
        day,
        call.session_id,
        call.backend,
        call.model,
        estimate.input as i64,
        estimate.output as i64,
        estimate.cache_read as i64,
        estimate.cache_write as i64,
        cost,
        priced,
        now,
    ])?;
    Ok(Reservation::Granted(tx.last_insert_rowid()))
}

/// Records how a call ended. A call that is already settled does not change.
pub fn settle(
    tx: &Transaction,
    id: i64,
    outcome: CallOutcome,
    agent: &Agent,
    now: i64,
) -> Result<()> {
    let row = tx
        .prepare_cached(
            "SELECT backend, model, input_tokens, output_tokens, cache_read_tokens,
               cache_write_tokens, cost, priced FROM agent_usage WHERE id = ?1 AND status = 'open'",
        )?
        .query_row([id], |r| {
            let count = |i| r.get::<_, i64>(i).map(|n| n as u64);
            let estimate = Usage {
                input: count(2)?,
                output: count(3)?,
                cache_read: count(4)?,
                cache_write: count(5)?,
                cost: Some(r.get(6)?),
            };
            Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?, estimate, r.get::<_, bool>(7)?))
        })
        .optional()?;
    let Some((backend, model, estimate, priced)) = row else { return Ok(()) };
    let (price, known) = agent.price(&backend, &model);
    let (status, usage, dollars, priced) = match outcome {
        CallOutcome::Complete(usage) => {
            ("complete", usage, cost(&usage, &price), known || usage.cost.is_some())
        }
        CallOutcome::Partial(usage) => {
            let usage = estimate.max_with(&usage);
            ("partial", usage, cost(&usage, &price).max(estimate.cost.unwrap_or_default()), known)
        }
        CallOutcome::Unknown => ("unknown", estimate, estimate.cost.unwrap_or_default(), priced),
    };
    tx.prepare_cached(
        "UPDATE agent_usage SET status = ?2, input_tokens = ?3, output_tokens = ?4,
           cache_read_tokens = ?5, cache_write_tokens = ?6, cost = ?7, priced = ?8,
           settled_at_epoch = ?9 WHERE id = ?1",
    )?
    .execute(params![
        id,
        status,
        usage.input as i64,
        usage.output as i64,
        usage.cache_read as i64,
        usage.cache_write as i64,
        dollars,
        priced,
        now,
    ])?;
    Ok(())
}

/// Usage of a session.
pub fn of_session(conn: &Connection, session_id: i64) -> Result<Used> {
    Ok(conn
        .prepare_cached(&format!("{SUM} WHERE session_id = ?1"))?
        .query_row([session_id], used)?)
}

/// Usage of a day, in the format of [`clock::machine_day`].
pub fn of_day(conn: &Connection, day: &str) -> Result<Used> {
    Ok(conn.prepare_cached(&format!("{SUM} WHERE day = ?1"))?.query_row([day], used)?)
}

const SUM: &str = "SELECT ifnull(sum(turns), 0), ifnull(sum(input_tokens + output_tokens), 0),
   ifnull(sum(cost), 0.0) FROM agent_usage";

fn used(r: &rusqlite::Row) -> rusqlite::Result<Used> {
    let count = |i| r.get::<_, i64>(i).map(|n| n as u64);
    Ok(Used { turns: count(0)?, tokens: count(1)?, cost: r.get(2)? })
}

/// Whether a limit of the budget is used up.
pub fn is_exhausted(used: Used, budget: Allowance) -> bool {
    let least = Used { turns: 1, tokens: 1, cost: 0.0 };
    exceeded(used, least, budget, BudgetScope::Day).is_some()
        || budget.cost > 0.0 && used.cost >= budget.cost
}

/// The first limit that `used` plus `requested` would exceed.
fn exceeded(
    used: Used,
    requested: Used,
    budget: Allowance,
    scope: BudgetScope,
) -> Option<OverBudget> {
    let measures = [
        (Measure::Turns, used.turns as f64, requested.turns as f64, budget.turns as f64),
        (Measure::Tokens, used.tokens as f64, requested.tokens as f64, budget.tokens as f64),
        (Measure::Cost, used.cost, requested.cost, budget.cost),
    ];
    let exceeds = |(_, used, requested, limit): &&(Measure, f64, f64, f64)| {
        *limit > 0.0 && used + requested > *limit
    };
    let (measure, used, _, limit) = *measures.iter().find(exceeds)?;
    Some(OverBudget { scope, measure, used, limit })
}

/// Cost of a call of `model`, in US dollars.
pub fn cost_of(usage: &Usage, backend: &str, model: &str, agent: &Agent) -> f64 {
    cost(usage, &agent.price(backend, model).0)
}

/// Cost in US dollars: as the provider reported it, or by the price list if it did not.
fn cost(usage: &Usage, price: &Price) -> f64 {
    let uncached = usage.input.saturating_sub(usage.cache_read + usage.cache_write);
    let by_price = uncached as f64 * price.input
        + usage.output as f64 * price.output
        + usage.cache_read as f64 * price.cache_read
        + usage.cache_write as f64 * price.cache_write;
    usage.cost.unwrap_or(by_price / 1e6)
}

impl BudgetScope {
    fn as_str(self) -> &'static str {
        match self {
            BudgetScope::Session => "session",
            BudgetScope::Day => "day",
        }
    }
}

impl OverBudget {
    /// Name of the setting that limits it.
    fn setting(&self) -> String {
        let measure = match self.measure {
            Measure::Tokens => "tokens",
            Measure::Turns => "turns",
            Measure::Cost => "cost",
        };
        format!("agent.budget.{}_{measure}", self.scope.as_str())
    }

    /// Describes the budget without the used amount, so that the notice stays the same and the user
    /// sees it once.
    fn budget(&self) -> String {
        let owner = match self.scope {
            BudgetScope::Session => "a session's model budget",
            BudgetScope::Day => "the day's model budget",
        };
        let limit = match self.measure {
            Measure::Tokens => format!("{} tokens", self.limit),
            Measure::Turns if self.limit == 1.0 => "1 call".to_owned(),
            Measure::Turns => format!("{} calls", self.limit),
            Measure::Cost => format!("${:.2}", self.limit),
        };
        format!("{owner} of {limit} is used up ({})", self.setting())
    }
}

impl fmt::Display for OverBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.budget())?;
        match self.measure {
            Measure::Tokens => write!(f, ": {} used", self.used),
            Measure::Turns => Ok(()),
            Measure::Cost => write!(f, ": ${:.2} used", self.used),
        }
    }
}

impl Usage {
    /// Takes the larger input and output token counts of the two, and all else from `other`.
    fn max_with(&self, other: &Usage) -> Usage {
        Usage {
            input: self.input.max(other.input),
            output: self.output.max(other.output),
            cache_read: other.cache_read,
            cache_write: other.cache_write,
            cost: other.cost,
        }
    }
}

#[cfg(test)]
mod tests;
