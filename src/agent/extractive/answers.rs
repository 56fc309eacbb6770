//! Observations of what was only looked at: an answer without edits, a subagent's report, a failure
//! nobody cured, what the web said.

use super::episodes::{Page, Thread};
use super::facts::{Facts, problem, same, unique};
use super::prose::{fit, paragraph};
use super::sentences::{self, About, Sentence};
use super::work::{Failure, Work, merge};
use super::{observe, titles};
use crate::memory::{Batch, Observation, Origin};

/// Up to so many sentences an answer is told in its own order; of a longer one prose comes first.
const SHORT: usize = 14;

/// What an answer without edits, or a subagent's report, taught.
pub fn of_answer(thread: &Thread, batch: &Batch, said: &[Sentence]) -> Option<Observation> {
    let message = thread.message.as_deref()?;
    let looked = &thread.looked;
    let subagent = thread.agent_id.is_some() || !thread.task.is_empty();
    let used_tools = !looked.sources.is_empty() || !thread.web.is_empty();
    let length = message.chars().count();
    if said.is_empty() || (!subagent && !used_tools && length < 300) || length < 20 {
        return None;
    }
    let prompt = if subagent {
        thread.task.as_str()
    } else {
        observe::prompt_of(batch, looked.prompt_number)
    };
    let title = match subagent {
        true => titles::of_report(prompt, thread.agent_type.as_deref()),
        false => titles::of_answer(prompt, said)?,
    };
    let told = |s: &&Sentence| {
        !matches!(s.about, About::Question | About::Next)
            && !same(&s.text, &title)
            && (!titles::labelled(&s.text) || s.text.split_whitespace().count() > 6)
            && !s.text.starts_with("See ")
    };
    let spoken = said.iter().filter(told).filter(|s| !s.item && titles::prose_in(&s.text) >= 20);
    let spoken = spoken.map(|s| s.text.as_str());
    let listed =
        said.iter().filter(told).filter(|s| s.item && s.depth == 0).map(|s| s.text.as_str());
    let narrative = if said.len() <= SHORT {
        let all = said.iter().filter(told).filter(|s| s.depth == 0).map(|s| s.text.as_str());
        paragraph(all, observe::MAX_NARRATIVE)
    } else {
        paragraph(spoken.chain(listed), observe::MAX_NARRATIVE)
    };
    let mut facts = Facts::default();
    for (key, verdict) in &looked.reports {
        facts.add(&format!("{key}: {}", verdict.figures()));
    }
    for trouble in looked.open.iter().take(2) {
        facts.add(&format!("Failing: {}", problem(trouble)));
    }
    let figures = |s: &&Sentence| {
        titles::prose_in(&s.text) >= 16 && s.text.contains(|c: char| c == '`' || c.is_ascii_digit())
    };
    for sentence in said
        .iter()
        .filter(told)
        .filter(figures)
        .filter(|s| !narrative.contains(s.text.as_str()))
        .take(6)
    {
        facts.add(&sentence.text);
    }
    let decided = said.iter().filter(|s| s.about == About::Decision).count();
    let kind = if alarming(said) {
        "security_alert"
    } else if decided > 0 && !used_tools {
        "decision"
    } else {
        "discovery"
    };
    let mut sources = looked.sources.clone();
    sources.extend(thread.message_source);
    let origin = looked.origin.unwrap_or(Origin::Assistant).max(Origin::Assistant);
    Some(Observation {
        kind: kind.to_owned(),
        subtitle: if subagent { None } else { observe::subtitle(prompt, &title) },
        narrative: Some(narrative).filter(|n| !n.is_empty()),
        facts: facts.list,
        concepts: vec![if kind == "decision" { "trade-off" } else { "how-it-works" }.to_owned()],
        files_read: unique(&looked.read),
        origin,
        prompt_number: looked.prompt_number,
        sources,
        title,
        ..Observation::default()
    })
}

const ALARMS: [&str; 8] = [
    "sql injection",
    "command injection",
    "remote code execution",
    "session fixation",
    "cross-site scripting",
    "request forgery",
    "path traversal",
    "auth bypass",
];

fn alarming(said: &[Sentence]) -> bool {
    said.iter().any(|s| {
        let low = s.text.to_lowercase();
        low.contains("cve-")
            || low.contains("vulnerab")
                && !low.contains("no vulnerab")
                && !low.contains("no known vulnerab")
                && !low.contains("0 vulnerab")
            || ALARMS.iter().any(|alarm| low.contains(alarm))
            || low.contains("leaked")
                && (low.contains("key") || low.contains("secret") || low.contains("token"))
    })
}

pub fn of_failure(trouble: &Failure, looked: &Work) -> Observation {
    let mut facts = Facts::default();
    facts.add(&problem(trouble));
    looked.open.iter().skip(1).take(3).for_each(|t| facts.add(&problem(t)));
    Observation {
        kind: "discovery".to_owned(),
        title: fit(&trouble.outcome(), titles::MOST),
        facts: facts.list,
        concepts: vec!["problem-solution".to_owned()],
        files_read: unique(&looked.read),
        origin: Origin::Tool,
        prompt_number: looked.prompt_number,
        sources: looked.open.iter().flat_map(|t| t.sources.iter().copied()).collect(),
        ..Observation::default()
    }
}

/// What the web said, in an observation of its own so that its word taints nothing else.
pub fn of_web(pages: &[Page]) -> Observation {
    let mut facts = Facts::default();
    for page in pages {
        let gist = sentences::sentences(&page.gist);
        let text = paragraph(gist.iter().take(4).map(|s| s.text.as_str()), super::facts::FACT - 20);
        if !text.is_empty() {
            facts.add(&format!("{}: {text}", fit(&page.subject, 80)));
        }
    }
    let first = &pages[0];
    let mut subjects: Vec<String> = Vec::new();
    merge(&mut subjects, pages.iter().map(|p| fit(&p.subject, 80)).collect());
    let more = if subjects.len() > 1 {
        format!(" and {} more", subjects.len() - 1)
    } else {
        String::new()
    };
    Observation {
        kind: "discovery".to_owned(),
        title: fit(&format!("Looked up {}{more}", subjects[0]), titles::MOST),
        narrative: Some(fit(
            &sentences::sentences(&first.gist)
                .iter()
                .map(|s| s.text.as_str())
                .collect::<Vec<_>>()
                .join(" "),
            400,
        ))
        .filter(|n| !n.is_empty() && pages.len() == 1),
        facts: facts.list,
        concepts: vec!["how-it-works".to_owned()],
        origin: Origin::Web,
        prompt_number: first.prompt_number,
        sources: pages.iter().map(|p| p.source).collect(),
        ..Observation::default()
    }
}
