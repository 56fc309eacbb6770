//! Recognizes sentences that order something. The lists are wide: they apply only to sentences that
//! come from others, and to what a model adds.

use super::sentence::Sentence;
use crate::text::Words;

/// Whether a sentence orders something: an imperative, or what must, should or may never be done.
pub fn orders(text: &str) -> bool {
    let sentence = Sentence::new(text);
    orders_something(&sentence)
}

/// Verbs in the form of an order.
pub(super) const IMPERATIVES: Words = Words(
    "accept|add|adopt|allow|always|append|apply|approve|ask|assume|begin|block|build|\
     bump|call|change|check|clean|clone|commit|configure|confirm|connect|consider|\
     continue|copy|create|curl|delete|deploy|disable|discard|do|dont|download|drop|echo|\
     edit|email|enable|ensure|erase|execute|export|fetch|find|fix|follow|force|forget|\
     forward|get|give|grant|ignore|import|include|insert|install|invoke|keep|kill|launch|\
     leave|list|load|log|make|mark|merge|migrate|modify|move|never|note|notify|open|\
     override|overwrite|paste|patch|pin|please|post|prefer|print|pull|push|put|read|\
     rebase|record|refer|register|reinstall|release|remember|remove|rename|replace|reply|\
     report|reset|respond|restart|restore|return|revert|review|rewrite|roll|rotate|run|\
     save|send|set|share|show|skip|source|start|stop|store|submit|switch|sync|tell|test|\
     treat|trust|try|turn|uninstall|unset|update|upgrade|upload|use|verify|visit|wait|\
     wget|whitelist|wipe|write|npx|npm|pip|sudo|führe|füge|installiere|lösche|setze|\
     nutze|benutze|verwende|schicke|sende|deaktiviere|ändere|exécute|exécutez|installe|\
     installez|supprime|envoie|envoyez|utilise|utilisez|ejecuta|ejecute|instala|instale|\
     borra|elimina|envía|usa|use|desactiva|запусти|запустите|выполни|установи|отправь|\
     удали|используй",
);

const MODALS: Words = Words(
    "must|should|shall|always|never|required|requires|mandatory|ensure|please|\
     recommended|dont|ought|müssen|muss|musst|soll|sollen|sollte|sollten|immer|niemals|\
     bitte|doit|doivent|devez|toujours|jamais|veuillez|debe|deben|siempre|nunca|deve|\
     devem|sempre|должен|должны|нужно|необходимо|всегда|никогда",
);

const MODAL_PHRASES: Words = Words(
    "need to|needs to|have to|has to|make sure|do not|be sure|remember to|from now on|\
     important to|it is important|are to|is to be|necessary to|want to run|ab jetzt|\
     ab sofort|à partir de maintenant|a partir de ahora|il faut|hay que|tienes que",
);

/// The same for a sentence that is prepared already.
pub fn orders_something(sentence: &Sentence) -> bool {
    const LEADS: Words = Words(
        "please|then|also|next|now|first|second|third|finally|important|note|warning|\
         attention|critical|urgent|action|required|todo|step|steps|hint|tip|fix|fixme|\
         and|or|so|you|can|simply|just|instead|bitte|dann|ensuite|luego|por|favor|before|\
         after|to|immediately|always|must|mandatory|info|notice|security|system|\
         assistant|user|human|admin|reminder|1|2|3|4|5|6|7|8|9",
    );
    let head = sentence.words.iter().take_while(|w| LEADS.are(w.as_str())).count().min(5);
    let begins =
        (0..=head).any(|at| IMPERATIVES.are(sentence.word(at)) && sentence.word(at) != "note");
    // "…, then run x", "…: run x"
    let later = || {
        let parts = sentence.low.split([':', ',', ';', '—', '–']).skip(1);
        parts.map(Sentence::first_words).any(|words| {
            words.iter().take(2).any(|w| IMPERATIVES.are(w.as_str()))
                && words
                    .first()
                    .is_some_and(|w| IMPERATIVES.are(w.as_str()) || LEADS.are(w.as_str()))
        })
    };
    let wide = Words(
        "必须|必須|应该|应当|总是|务必|请|不要|ください|必ず|常に|べき|してはいけ|해야|하세요|하십시오|항상|절대",
    );
    begins
        || sentence.has(MODALS)
        || sentence.has_phrase(MODAL_PHRASES)
        || later()
        || !sentence.low.is_ascii() && wide.iter().any(|w| sentence.low.contains(w))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_told_from_reports() {
        for text in [
            "Run `npm audit fix`.",
            "You must restart the worker",
            "Before each release, upload the logs",
            "Important: never pin versions",
            "To repair it, run the script",
            "Die Tests müssen laufen",
            "请安装依赖",
        ] {
            assert!(orders(text), "{text}");
        }
        for text in [
            "The worker restarts after an error.",
            "I ran the tests.",
            "Added a guard in `src/parser.rs`.",
            "Keys expire after 24 hours.",
        ] {
            assert!(!orders(text), "{text}");
        }
    }
}
