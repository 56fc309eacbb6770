//! Scripts of events, and the rows they produce.

use memctl_proto::event::Tool;
use rusqlite::Connection;

use super::*;
use crate::memory::{Distilled, Observation, Summary};
use crate::store::commit::Attribution;
use crate::store::queue::{self, BatchMeasure, Claim, ClaimLimits};
use crate::store::testing::{in_memory_db, write};
use crate::store::{commit, new_uuid};

/// Runs a script: the events of one session, ten seconds apart. A step that starts with `+` follows
/// after one second.
///
/// ```text
/// prompt TURN TEXT   private TURN   note TURN   tool TURN USE   secret TURN USE (no text)
/// failed TURN USE    report TURN    stop TURN TEXT    error TURN TEXT    start REASON
/// end REASON         finalize       late, idle (closed by the worker)
/// distill            again N (repeats the Nth event)
/// ```
struct World {
    conn: Connection,
    now: i64,
    sent: Vec<Event>,
    last: Option<Accepted>,
}

const EVERYTHING: ClaimLimits = ClaimLimits {
    events: 256,
    bytes: 1 << 20,
    flush: true,
    limit: 256,
    measure: BatchMeasure::Size,
};

impl World {
    fn new() -> World {
        World { conn: in_memory_db(), now: 1_000_000, sent: Vec::new(), last: None }
    }

    fn run(script: &str) -> World {
        let mut world = World::new();
        for step in script.split(';').map(str::trim) {
            world.step(step);
        }
        world
    }

    fn step(&mut self, step: &str) {
        self.now += if step.starts_with('+') { 1_000 } else { 10_000 };
        let mut words = step.trim_start_matches('+').splitn(3, ' ');
        let verb = words.next().unwrap();
        let (first, text) = (words.next().unwrap_or_default(), words.next().map(str::to_owned));
        let kind = match verb {
            "prompt" | "private" => Kind::Prompt,
            "note" => Kind::Notification,
            "tool" | "secret" => Kind::Tool,
            "failed" => Kind::ToolFailed,
            "report" => Kind::Subagent,
            "stop" => Kind::Stop,
            "error" => Kind::StopFailed,
            "start" => Kind::Start,
            "end" => Kind::End,
            "finalize" => Kind::Finalize,
            "late" => return self.close(ClosedBy::Late, WhichPrompts::Reopened),
            "idle" => return self.close(ClosedBy::Idle, WhichPrompts::All),
            "distill" => return self.distill(),
            "again" => {
                let event = self.sent[first.parse::<usize>().unwrap() - 1].clone();
                return self.send(event);
            }
            other => panic!("unknown step {other}"),
        };
        let mut event = Event::new(kind, "claude-code", "s", self.now);
        event.turn = Some(first.to_owned()).filter(|t| !t.is_empty() && t != "-");
        event.private = matches!(verb, "private" | "secret");
        match kind {
            Kind::Tool | Kind::ToolFailed => {
                event.tool = Some(Tool {
                    name: "Bash".into(),
                    use_id: text,
                    input: Some("in".into()),
                    response: Some("out".into()),
                    files: Vec::new(),
                });
            }
            Kind::Start | Kind::End => {
                event.reason = event.turn.take();
            }
            _ => event.text = text.or(Some("words".into())),
        }
        self.send(event);
    }

    fn close(&mut self, by: ClosedBy, which: WhichPrompts) {
        let now = self.now;
        write(&mut self.conn, |tx| close_open(tx, 1, by, now, which));
    }

    fn send(&mut self, event: Event) {
        let now = self.now;
        self.last = Some(write(&mut self.conn, |tx| accept(tx, &event, None, now)));
        self.sent.push(event);
    }

    /// Distills the whole queue. Each batch yields one observation; a `summarize` yields a summary
    /// with the assistant's last message.
    fn distill(&mut self) {
        let now = self.now;
        loop {
            let claim = write(&mut self.conn, |tx| queue::claim(tx, 1, &EVERYTHING, 7, now));
            let Claim::Batch(batch) = claim else { return };
            let last = batch.messages.last().unwrap();
            let distilled = Distilled {
                observations: vec![Observation {
                    kind: "change".into(),
                    title: format!("batch to {}", last.id),
                    prompt_number: last.prompt_number,
                    sources: batch.messages.iter().map(|m| m.id).collect(),
                    ..Observation::default()
                }],
                summary: last.cause.summarizes().then(|| Summary {
                    completed: last.last_assistant_message.clone().unwrap_or("?".into()),
                    ..Summary::default()
                }),
                ..Distilled::default()
            };
            write(&mut self.conn, |tx| {
                commit::complete(tx, 1, &batch, &distilled, Attribution::all_by("test"), now)
            });
        }
    }

    fn lines(&self, sql: &str) -> String {
        let mut rows = self.conn.prepare(sql).unwrap();
        let rows = rows.query_map([], |r| r.get::<_, String>(0)).unwrap();
        rows.map(|r| r.unwrap()).collect::<Vec<_>>().join(" ")
    }

    fn prompts(&self) -> String {
        self.lines(
            "SELECT prompt_number || ':' || ifnull(turn_id, '-') || ':' ||
               CASE WHEN finalized_at_epoch NOTNULL THEN finalized_by
                    WHEN finalized_by NOTNULL THEN 'reopened' ELSE 'open' END
             FROM user_prompts ORDER BY prompt_number",
        )
    }

    /// `event@prompt`, then `=text`; in parentheses if the message is processed.
    fn queue(&self) -> String {
        self.lines(
            "SELECT iif(status = 'processed', '(', '') || event || '@' || prompt_number ||
               ifnull('=' || last_assistant_message, '') || iif(status = 'processed', ')', '')
             FROM pending_messages ORDER BY id",
        )
    }

    fn summaries(&self) -> String {
        self.lines(
            "SELECT prompt_number || '=' || iif(hidden, 'hidden' || request, completed)
             FROM session_summaries ORDER BY prompt_number",
        )
    }

    fn session(&self) -> String {
        self.lines("SELECT status || ifnull(':' || end_reason, '') FROM sessions")
    }
}

/// Compares prompts, queue and session after a script.
fn check(script: &str, prompts: &str, queue: &str, session: &str) {
    let world = World::run(script);
    assert_eq!(world.prompts(), prompts, "prompts of: {script}");
    assert_eq!(world.queue(), queue, "queue of: {script}");
    assert_eq!(world.session(), session, "session of: {script}");
}

#[test]
fn events_are_assigned_to_prompts_and_turns() {
    check("prompt t1 a; tool t1 u1; stop t1 done", "1:t1:stop", "tool@1 stop@1=done", "active");
    // A second prompt joins the running turn: one Stop closes both, on the newest.
    check(
        "prompt t1 a; tool t1 u1; prompt t1 b; tool t1 u2; stop t1 done",
        "1:t1:stop 2:t1:stop",
        "tool@1 tool@2 stop@2=done",
        "active",
    );
    // The next prompt closes an interrupted turn, with one summary for its two prompts.
    check(
        "prompt t1 a; prompt t1 b; tool t1 u1; prompt t2 c; stop t2 done",
        "1:t1:interrupted 2:t1:interrupted 3:t2:stop",
        "tool@2 interrupted@2 stop@3=done",
        "active",
    );
    // A notification has its own turn and no number, and closes nothing.
    check("prompt t1 a; note t2; tool t2 u1", "1:t1:open", "(notification@1) tool@1", "active");
    // Events before the first prompt belong to prompt 0.
    check("tool t1 u1; stop t1 done", "", "tool@0 stop@0=done", "active");
    check("tool t1 u1; prompt t1 a; tool t1 u2", "1:t1:open", "tool@0 tool@1", "active");
    // An event of an older turn belongs to that turn's prompt.
    check(
        "prompt t1 a; stop t1 done; prompt t2 b; report t1 r",
        "1:t1:reopened 2:t2:open",
        "stop@1=done subagent@1=r",
        "active",
    );
    // Without turn ids, every prompt is a turn of its own.
    check(
        "prompt - a; tool - u1; prompt - b; stop - done",
        "1:-:interrupted 2:-:stop",
        "tool@1 interrupted@1 stop@2=done",
        "active",
    );
    // A Stop whose turn has no prompt closes the turn of the newest prompt.
    check("prompt t1 a; prompt t1 b; stop t9 done", "1:t1:stop 2:t1:stop", "stop@2=done", "active");
    check(
        "prompt t1 a; error t1 overloaded",
        "1:t1:stop_failed",
        "stop_failed@1=overloaded",
        "active",
    );
    // The Stop of an older turn does not close the running turn.
    check(
        "prompt t1 a; stop t1 x; tool t1 u1; prompt t2 b; stop t1 y",
        "1:t1:stop 2:t2:open",
        "stop@1=x tool@1 late@1 stop@1=y",
        "active",
    );
}

#[test]
fn events_close_and_reopen_prompts() {
    // A late observation reopens its prompt. `late` closes reopened prompts only.
    check("prompt t1 a; stop t1 done; tool t1 u1", "1:t1:reopened", "stop@1=done tool@1", "active");
    check(
        "prompt t1 a; stop t1 done; tool t1 u1; late",
        "1:t1:late",
        "stop@1=done tool@1 late@1",
        "active",
    );
    check("prompt t1 a; tool t1 u1; late", "1:t1:open", "tool@1", "active");
    check("prompt t1 a; prompt t1 b; idle", "1:t1:idle 2:t1:idle", "interrupted@2", "active");
    // A session that ends with a prompt that was never closed has failed.
    check("prompt t1 a; stop t1 x; end clear", "1:t1:stop", "stop@1=x (end@1)", "completed:clear");
    check("prompt t1 a; end clear", "1:t1:end", "(end@1) end@1", "failed:clear");
    check(
        "prompt t1 a; stop t1 x; tool t1 u1; end",
        "1:t1:late",
        "stop@1=x tool@1 (end@1) late@1",
        "completed:other",
    );
    check("end clear", "", "", "");
    check("finalize", "", "", "");
    // A second end changes nothing; a prompt makes the session active again.
    // A Stop that arrives later tells how the turn ended.
    check(
        "prompt t1 a; end clear; stop t1 x",
        "1:t1:stop",
        "(end@1) end@1 stop@1=x",
        "completed:clear",
    );
    check("prompt t1 a; end clear; end other", "1:t1:end", "(end@1) end@1 (end@1)", "failed:clear");
    check("prompt t1 a; end clear; prompt t2 b", "1:t1:end 2:t2:open", "(end@1) end@1", "active");
    check(
        "prompt t1 a; end clear; tool t1 u1",
        "1:t1:reopened",
        "(end@1) end@1 tool@1",
        "failed:clear",
    );
    check(
        "prompt t1 a; end clear; note t2",
        "1:t1:end",
        "(end@1) end@1 (notification@1)",
        "active",
    );
    // Two open turns get two summaries.
    check(
        "prompt t1 a; stop t1 x; prompt t2 b; tool t1 u1; finalize",
        "1:t1:finalize 2:t2:finalize",
        "stop@1=x tool@1 (stop@2) stop@1 stop@2",
        "active",
    );
    // A compaction enqueues a `summarize` and closes nothing.
    check("prompt t1 a; start compact", "1:t1:open", "checkpoint@1", "active");
    check("start compact", "", "", "active");
    check("prompt t1 a; start resume", "1:t1:open", "", "active");
}

#[test]
fn repeated_events_have_no_effect() {
    check("prompt t1 a; again 1", "1:t1:open", "", "active");
    check("prompt t1 a; tool t1 u1; again 2", "1:t1:open", "tool@1", "active");
    check("prompt t1 a; tool t1 u1; stop t1 x; again 2", "1:t1:stop", "tool@1 stop@1=x", "active");
    check(
        "prompt t1 a; stop t1 x; tool t1 u1; again 2",
        "1:t1:reopened",
        "stop@1=x tool@1",
        "active",
    );
    // A repeated end does not end what came after the first, whether or not that closed anything.
    for stop in ["stop t1 x; ", ""] {
        let n = if stop.is_empty() { 2 } else { 3 };
        let world = World::run(&format!("prompt t1 a; {stop}end clear; prompt t2 b; again {n}"));
        assert!(world.prompts().ends_with("2:t2:open"), "{}", world.prompts());
        assert_eq!(world.session(), "active");
    }
    check("prompt t1 a; start compact; again 2", "1:t1:open", "checkpoint@1", "active");
    // A prompt that closed another turn is delivered twice.
    check(
        "prompt t1 a; prompt t2 b; again 2",
        "1:t1:interrupted 2:t2:open",
        "interrupted@1",
        "active",
    );
    // Hooks registered twice report one event with two event ids.
    check("prompt t1 a; tool t1 u1; tool t1 u1", "1:t1:open", "tool@1", "active");
    check("prompt t1 a; tool t1 u1; failed t1 u1", "1:t1:open", "tool@1", "active");
    check("prompt t1 a; tool t1 u1; tool t2 u1", "1:t1:open", "tool@1 tool@1", "active");
    check("prompt - a; tool - u1; tool - u1", "1:-:open", "tool@1", "active");
    check("prompt t1 a; +prompt t1 a", "1:t1:open", "", "active");
    check("prompt - a; +prompt - a", "1:-:open", "", "active");
    check("prompt t1 a; +prompt t1 b", "1:t1:open 2:t1:open", "", "active");
    check("prompt t1 a; prompt t1 a", "1:t1:open 2:t1:open", "", "active");
    check("prompt t1 a; +prompt t2 a", "1:t1:interrupted 2:t2:open", "interrupted@1", "active");
}

#[test]
fn a_prompt_has_one_summary_row() {
    let check = |script: &str, expected: &str| {
        assert_eq!(World::run(script).summaries(), expected, "{script}");
    };
    check("prompt t1 a; prompt t1 b; stop t1 done; distill", "2=done");
    // The end of a background task is a turn without a prompt: two Stops, one row.
    check(
        "prompt t1 a; stop t1 first; distill; note t2; tool t2 u1; stop t2 second; distill",
        "1=second",
    );
    check("prompt t1 a; stop t1 first; note t2; tool t2 u1; stop t2 second; distill", "1=second");
    // Another hook of the user blocks the Stop nine times.
    let blocked: String = (1..=9).map(|n| format!("stop t1 try{n}; tool t1 u{n}; ")).collect();
    check(&format!("prompt t1 a; {blocked}stop t1 last; distill"), "1=last");
    check(
        &format!(
            "prompt t1 a; {}stop t1 last; distill",
            blocked.replace("; tool", "; distill; tool")
        ),
        "1=last",
    );
    // A closing without text keeps the assistant's last message.
    check("prompt t1 a; stop t1 said; tool t1 u1; late; distill", "1=said");
    check("prompt t1 a; stop t1 said; tool t1 u1; end; distill", "1=said");
    check("prompt t1 a; stop t1 x; stop t1 y; tool t1 u1; late; tool t1 u2; late; distill", "1=y");
    check("prompt t1 a; error t1 broken; tool t1 u1; late; distill", "1=?");
    let world = World::run("prompt t1 a; stop t1 x; distill; stop t1 y; distill");
    let rows: (i64, bool) = world
        .conn
        .query_row(
            "SELECT count(*), min(changed_at_epoch) > min(created_at_epoch) FROM session_summaries",
            [],
            |r| Ok((r.get(0)?, r.get(1)?)),
        )
        .unwrap();
    assert_eq!(rows, (1, true));
}

#[test]
fn private_turns_keep_only_ids() {
    let check = |script: &str, queue: &str, summaries: &str| {
        let world = World::run(script);
        assert_eq!(world.queue(), queue, "queue of: {script}");
        assert_eq!(world.summaries(), summaries, "summaries of: {script}");
        let texts = world.lines(
            "SELECT 'text' FROM pending_messages WHERE status = 'processed' AND
               (tool_input NOTNULL OR tool_response NOTNULL OR cwd NOTNULL
                OR last_assistant_message NOTNULL)
             UNION ALL SELECT 'prompt' FROM user_prompts WHERE private AND prompt_text NOTNULL",
        );
        assert_eq!(texts, "", "texts of: {script}");
    };
    check("private t1; tool t1 u1; stop t1 said", "(tool@1) (stop@1)", "1=hidden[private]");
    check("private -; tool - u1; stop - said", "(tool@1) (stop@1)", "1=hidden[private]");
    // Events before the private prompt lose their texts too, even if they were distilled.
    check("tool t1 u1; private t1; stop t1 said", "(tool@0) (stop@1)", "1=hidden[private]");
    check(
        "prompt t1 a; tool t1 u1; start compact; distill; private t1; stop t1 said",
        "(tool@1) (checkpoint@1) (stop@2)",
        "1=hidden[private] 2=hidden[private]",
    );
    check("private t1; prompt t1 more; stop t1 said", "(stop@2)", "2=hidden[private]");
    // An end or another prompt closes the private turn; other turns keep their texts.
    check("private t1; tool t1 u1; end", "(tool@1) (end@1) (end@1)", "1=hidden[private]");
    check(
        "private t1; tool t1 u1; prompt t2 b; tool t2 u2; stop t2 said",
        "(tool@1) (interrupted@1) tool@2 stop@2=said",
        "1=hidden[private]",
    );
    // A late tool use of a private turn reopens nothing.
    check("private t1; stop t1 x; tool t1 u1", "(stop@1) (tool@1)", "1=hidden[private]");
    // A private event in a turn that is not private.
    check("prompt t1 a; secret t1 u1; stop t1 said", "(tool@1) stop@1=said", "");
    let world = World::run("prompt t1 a; tool t1 u1; start compact; distill; private t1");
    assert_eq!(world.lines("SELECT title FROM observations"), "");
    assert_eq!(world.lines("SELECT 'kept' FROM user_prompts WHERE prompt_text NOTNULL"), "");
}

#[test]
fn accept_reports_its_effect() {
    let check = |script: &str, duplicate: bool, prompt: i64, closed: u64, open: (u64, u64)| {
        let last = World::run(script).last.unwrap();
        let opened = (last.open.never_closed, last.open.reopened);
        assert_eq!(
            (last.duplicate, last.prompt, last.closed, opened),
            (duplicate, prompt, closed, open),
            "{script}"
        );
    };
    check("prompt t1 a", false, 1, 0, (1, 0));
    check("prompt t1 a; again 1", true, 1, 0, (1, 0));
    check("prompt t1 a; prompt t1 b; stop t1 x", false, 2, 2, (0, 0));
    check("prompt t1 a; stop t1 x; tool t1 u1", false, 1, 0, (0, 1));
    check("prompt t1 a; stop t1 x; tool t1 u1; prompt t2 b; finalize", false, 2, 1, (0, 0));
    check("end clear", false, 0, 0, (0, 0));
}

#[test]
fn a_session_gains_its_project_later_and_keeps_it() {
    let mut world = World::run("tool t1 u1; distill");
    let project = |key: &str| memctl_proto::event::Project {
        keys: vec![key.into()],
        name: key.into(),
        root: "/r".into(),
    };
    for key in ["git:one", "git:two"] {
        let mut event = Event::new(Kind::Prompt, "claude-code", "s", world.now);
        event.project = Some(project(key));
        event.text = Some(key.into());
        world.send(event);
    }
    assert_eq!(
        world.lines(
            "SELECT p.name || (SELECT count(*) FROM observations o WHERE o.project_id = p.id)
             FROM sessions s JOIN projects p ON p.id = s.project_id"
        ),
        "git:one1"
    );
}

#[test]
fn a_time_in_the_future_becomes_now() {
    let mut world = World::new();
    let event = Event::new(Kind::Prompt, "c", "s", i64::MAX);
    world.send(event);
    assert_eq!(
        world.lines("SELECT created_at_epoch || '' FROM user_prompts"),
        world.now.to_string()
    );
    assert!(new_uuid(-5) < new_uuid(world.now), "ids sort by time");
}

#[test]
fn an_unknown_kind_changes_nothing() {
    let mut world = World::new();
    world.send(Event::new(Kind::Unknown, "c", "s", 1));
    assert_eq!(world.session(), "");
}
