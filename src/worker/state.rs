//! What a worker is up to, as one pure function: `serving → ending → gone`.
//!
//! Finalising is work in hand and lingering a deadline of `serving`; neither is a state. The loop
//! in [`super`] carries out the effects and decides nothing.

/// Where a worker stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Its session goes on.
    Serving,
    /// It finishes what is queued, then leaves. A prompt takes that back.
    Ending,
    /// It finishes the batch in hand, then leaves.
    Closing,
    Gone,
}

/// What can happen to a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// A prompt, or a turn that the client began by itself, was accepted.
    Prompt,
    /// Any other event of the session was accepted.
    Event,
    /// The session's end was accepted.
    End,
    /// Nothing is queued, nothing in hand, and no turn goes on.
    Rested,
    /// Born, and there was nothing to do: another one did it.
    Forestalled,
    LingerOver,
    /// No event for so long that the worker leaves, whatever is open.
    IdleOver,
    /// So long a life that it does.
    AgeOver,
    /// Every client that the session was heard from has gone, and nothing came after it.
    ClientGone,
    /// The queued work took longer than a session's end may take.
    EndOver,
    ShutdownGraceful,
    /// `shutdown now`, or SIGTERM.
    ShutdownNow,
    /// The session is another worker's, or the database belongs to a newer version.
    Fenced,
}

/// What the loop does about it, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    StartLinger,
    StopLinger,
    /// The queue is finished under a deadline from now on.
    StartEndDeadline,
    StopEndDeadline,
    /// Close prompts that late events opened again.
    CloseLate,
    /// Close every open prompt: nobody has stirred.
    CloseIdle,
    /// Close every open prompt: the worker is too old.
    CloseAged,
    /// End the session, whose client cannot do it any more.
    EndSession,
    /// Distil what is there, with or without a summary to come.
    Flush,
    /// Put the batch in hand back into the queue.
    GiveBack,
    Leave,
}

/// A pair that cannot be: the loop has lost track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Illegal(pub State, pub Input);

use Effect::{
    CloseAged, CloseIdle, CloseLate, EndSession, Flush, GiveBack, Leave, StartEndDeadline,
    StartLinger, StopEndDeadline, StopLinger,
};
use State::{Closing, Ending, Gone, Serving};

/// The next state and what is to be done.
pub fn next(state: State, input: Input) -> Result<(State, &'static [Effect]), Illegal> {
    let (to, effects): (State, &'static [Effect]) = match (state, input) {
        (Gone, _) => return Err(Illegal(state, input)),

        (_, Input::ShutdownNow | Input::Fenced) => (Gone, &[GiveBack, Leave]),
        (Closing, Input::Rested | Input::EndOver) => (Gone, &[GiveBack, Leave]),
        (Closing, _) => (Closing, &[]),
        (_, Input::ShutdownGraceful) => (Closing, &[StopLinger, StartEndDeadline]),

        (Serving, Input::Prompt | Input::Event) => (Serving, &[StopLinger]),
        (Serving, Input::Rested) => (Serving, &[StartLinger]),
        (Serving, Input::Forestalled) => (Gone, &[Leave]),
        (Serving, Input::End) => (Ending, &[StopLinger, StartEndDeadline, CloseLate, Flush]),
        (Serving, Input::LingerOver) => (Ending, &[StartEndDeadline, CloseLate, Flush]),
        (Serving, Input::IdleOver) => (Ending, &[StopLinger, StartEndDeadline, CloseIdle, Flush]),
        (Serving, Input::AgeOver) => (Ending, &[StopLinger, StartEndDeadline, CloseAged, Flush]),
        // What follows comes with the end, once that is accepted.
        (Serving, Input::ClientGone) => (Serving, &[EndSession]),
        (Serving, Input::EndOver) => return Err(Illegal(state, input)),

        (Ending, Input::Prompt) => (Serving, &[StopEndDeadline]),
        (Ending, Input::Event | Input::End) => (Ending, &[CloseLate, Flush]),
        (Ending, Input::Rested) => (Gone, &[Leave]),
        (Ending, Input::EndOver) => (Gone, &[GiveBack, Leave]),
        (Ending, Input::ClientGone) => (Ending, &[EndSession]),
        (Ending, Input::IdleOver) => (Ending, &[CloseIdle, Flush]),
        (Ending, Input::AgeOver) => (Ending, &[CloseAged, Flush]),
        (Ending, Input::LingerOver | Input::Forestalled) => return Err(Illegal(state, input)),
    };
    Ok((to, effects))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [State; 4] = [Serving, Ending, Closing, Gone];
    const INPUTS: [Input; 13] = [
        Input::Prompt,
        Input::Event,
        Input::End,
        Input::Rested,
        Input::Forestalled,
        Input::LingerOver,
        Input::IdleOver,
        Input::AgeOver,
        Input::ClientGone,
        Input::EndOver,
        Input::ShutdownGraceful,
        Input::ShutdownNow,
        Input::Fenced,
    ];

    /// Every pair, and where it leads.
    #[test]
    fn every_pair() {
        let illegal = None;
        #[rustfmt::skip]
        let table = [
            // Prompt         Event          End            Rested         Forestalled    LingerOver     IdleOver       AgeOver        ClientGone     EndOver     Graceful       Now         Fenced
            [Some(Serving), Some(Serving), Some(Ending),  Some(Serving), Some(Gone),    Some(Ending),  Some(Ending),  Some(Ending),  Some(Serving), illegal,    Some(Closing), Some(Gone), Some(Gone)],
            [Some(Serving), Some(Ending),  Some(Ending),  Some(Gone),    illegal,       illegal,       Some(Ending),  Some(Ending),  Some(Ending),  Some(Gone), Some(Closing), Some(Gone), Some(Gone)],
            [Some(Closing), Some(Closing), Some(Closing), Some(Gone),    Some(Closing), Some(Closing), Some(Closing), Some(Closing), Some(Closing), Some(Gone), Some(Closing), Some(Gone), Some(Gone)],
            [illegal; 13],
        ];
        for (state, row) in STATES.into_iter().zip(table) {
            for (input, want) in INPUTS.into_iter().zip(row) {
                let got = next(state, input).ok().map(|(to, _)| to);
                assert_eq!(got, want, "{state:?} + {input:?}");
            }
        }
    }

    #[test]
    fn gone_is_always_left_in_order() {
        for (state, input) in STATES.into_iter().flat_map(|s| INPUTS.map(|i| (s, i))) {
            let Ok((to, effects)) = next(state, input) else { continue };
            assert_eq!(to == Gone, effects.last() == Some(&Leave), "{state:?} + {input:?}");
            // Who leaves with work in hand gives it back first.
            if matches!(input, Input::EndOver | Input::ShutdownNow | Input::Fenced) {
                assert!(effects.starts_with(&[GiveBack]), "{state:?} + {input:?}");
            }
        }
    }

    #[test]
    fn whoever_ends_closes_and_distils_what_is_there() {
        for input in [Input::End, Input::LingerOver, Input::IdleOver, Input::AgeOver] {
            let (to, effects) = next(Serving, input).unwrap();
            assert_eq!(to, Ending);
            assert!(effects.contains(&StartEndDeadline) && effects.contains(&Flush));
            assert!([CloseLate, CloseIdle, CloseAged].iter().any(|e| effects.contains(e)));
        }
    }

    #[test]
    fn a_session_without_a_client_is_ended_unless_the_worker_only_closes() {
        let effects = |state| next(state, Input::ClientGone).unwrap().1;
        assert_eq!(effects(Serving), [EndSession]);
        assert_eq!(effects(Ending), [EndSession]);
        assert!(effects(Closing).is_empty());
    }

    #[test]
    fn a_prompt_takes_the_end_back() {
        let (to, effects) = next(Ending, Input::Prompt).unwrap();
        assert_eq!((to, effects), (Serving, &[StopEndDeadline][..]));
    }
}
