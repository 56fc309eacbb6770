//! Checks the texts of a turn before it is stored and told.

use super::instructions::{Speaker, reads_like_instruction};
use super::risky::names_risk;
use super::screen::{Author, Screen, Verdict};
use crate::memory::{Block, Evidence, Origin, Sender, Turn};

impl Screen {
    /// Removes from a turn what others wrote. [`Screen::finish`] adds the rows that keep it.
    pub fn check_turn(&mut self, turn: &mut Turn, author: Author) {
        self.check_request(turn);
        for blocks in [&mut turn.done, &mut turn.answer, &mut turn.cause] {
            blocks.iter_mut().for_each(|block| self.check_block(block, author));
            blocks.retain(|block| !block.lines.is_empty());
        }
        for step in &mut turn.next {
            step.text = self.checked(&step.text, true, author);
        }
        turn.next.retain(|step| !step.text.is_empty());
        // It quotes the cleaned message. A later turn may leave it to the user.
        turn.closing = self.checked(&turn.closing, true, Author::LocalRules);
        if let Some(asked) = &mut turn.asked {
            asked.text = self.checked(&asked.text, false, author);
            for option in std::mem::take(&mut asked.options) {
                let option = self.checked(&option, false, author);
                asked.options.extend((!option.is_empty()).then_some(option));
            }
        }
        turn.asked.take_if(|asked| asked.text.is_empty());
        for claim in &mut turn.claims {
            claim.text = self.checked(&claim.text, false, author);
        }
        self.check_evidence(turn);
    }

    /// The request consists of what the user typed.
    fn check_request(&mut self, turn: &mut Turn) {
        let speaker = match turn.sender {
            Sender::User => Speaker::User,
            _ => Speaker::Other,
        };
        for text in [&mut turn.request, &mut turn.re] {
            let judge = |_: &Screen, piece: &str, _| match reads_like_instruction(piece, speaker) {
                true => Verdict::Instruction(Origin::User),
                false => Verdict::Keep,
            };
            *text = self.without_foreign(text, None, judge).trim_end().to_owned();
        }
    }

    fn check_block(&mut self, block: &mut Block, author: Author) {
        for text in [&mut block.heading, &mut block.lead_in] {
            *text = self.checked(text, false, author);
        }
        for line in std::mem::take(&mut block.lines) {
            let line = self.checked(&line, false, author);
            block.lines.extend((!line.is_empty()).then_some(line));
        }
    }

    fn checked(&mut self, text: &str, is_step: bool, author: Author) -> String {
        let judge = |screen: &Screen, piece: &str, step_in_text| {
            screen.judge_reply(piece, is_step || step_in_text, author)
        };
        self.without_foreign(text, None, judge).trim().to_owned()
    }

    /// Names and subjects in the evidence.
    fn check_evidence(&mut self, turn: &mut Turn) {
        let subjects = turn.evidence.commits.iter().map(|commit| commit.subject.clone());
        for (at, subject) in subjects.collect::<Vec<_>>().into_iter().enumerate() {
            // The assistant writes a subject, and may repeat a page in it.
            if self.checked(&subject, false, Author::LocalRules) != subject {
                let commit = &mut turn.evidence.commits[at];
                commit.subject.clear();
                commit.body.clear();
            }
        }
        self.check_plans(&mut turn.evidence);
        let evidence = &mut turn.evidence;
        let is_clean = |text: &str| !reads_like_instruction(text, Speaker::Other);
        // The words of a name may form an order.
        let is_name = |name: &str| is_clean(name) && !names_risk(name);
        evidence.files.retain(|file| is_name(&file.path));
        evidence.read.retain(|path| is_name(path));
        evidence.effects.retain(|effect| is_name(&effect.text));
        evidence
            .reports
            .iter_mut()
            .filter(|reports| !is_name(&reports.agent_type))
            .for_each(|reports| "subagent".clone_into(&mut reports.agent_type));
        evidence.tasks.retain(|task| is_clean(&task.text));
        for commit in &mut evidence.commits {
            let verdict = self.judge_reply(&commit.subject, false, Author::LocalRules);
            let is_foreign = matches!(verdict, Verdict::Quarantine(_));
            if is_foreign || !is_clean(&commit.subject) || !is_clean(&commit.body) {
                commit.subject.clear();
                commit.body.clear();
            }
        }
        for check in &mut evidence.checks {
            check.failing.retain(|name| is_name(name));
            if !is_name(&check.key) {
                // The program without its arguments.
                check.key.truncate(check.key.find([' ', ':']).unwrap_or(0));
            }
        }
    }

    /// Tasks, steps of plans and options: the assistant writes them, and may repeat what others wrote.
    fn check_plans(&mut self, evidence: &mut Evidence) {
        let mut is_own = |text: &str| self.checked(text, true, Author::LocalRules) == text.trim();
        evidence.tasks.retain(|task| is_own(&task.text));
        for plan in &mut evidence.plans {
            plan.steps.retain(|step| is_own(step));
            if !is_own(&plan.title) {
                plan.title.clear();
            }
        }
        evidence.answers.retain(|answer| answer.typed || is_own(&answer.answer));
        for answer in &mut evidence.answers {
            answer.options.retain(|option| is_own(option));
        }
    }
}
