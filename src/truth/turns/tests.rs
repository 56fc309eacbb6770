//! Pairs of turns: what the later one takes out, and what is about something else.

use super::*;

fn turn(request: &str, answer: &str) -> Exchange {
    let said = sentences(answer).into_iter().map(str::to_owned).collect();
    Exchange { request: request.to_owned(), said, can_replace: true }
}

fn outdated(turns: &[Exchange]) -> Vec<Vec<String>> {
    Readings::default().outdated(turns.to_vec())
}

/// What the second turn takes out of the first one.
#[track_caller]
fn check(older: (&str, &str), newer: (&str, &str), expected: &[&str]) {
    let out = outdated(&[turn(older.0, older.1), turn(newer.0, newer.1)]);
    assert_eq!(out[0], expected, "{newer:?} after {older:?}");
    assert_eq!(out[1], [""; 0], "{newer:?}");
}

#[test]
fn another_value_of_the_same_subject() {
    check(
        ("the preview runs on port 3000, metrics on 9100", "Preview is on 3000, metrics on 9100."),
        ("3000 is taken here. move the preview to 4200", "The preview listens on 4200 now."),
        &["the preview runs on port 3000", "Preview is on 3000"],
    );
    check(
        ("uploads are limited to 5 MB and sessions last 20 minutes", "Both limits are in place."),
        ("20 minutes is too short for a session, make it 2 hours", "Sessions last 2 hours."),
        &["and sessions last 20 minutes"],
    );
    check(
        ("Backups laufen immer sonntags", "Backups laufen sonntags um 3 Uhr."),
        ("Sonntag ist zu voll. Backups künftig samstags", "Backups laufen samstags."),
        &["Backups laufen immer sonntags", "Backups laufen sonntags um 3 Uhr."],
    );
    check(
        ("el envío cuesta 4,90 €", "El envío cuesta 4,90 €."),
        ("el envío ahora es gratis desde 25 €", "Envío gratis desde 25 €."),
        &["el envío cuesta 4,90 €", "El envío cuesta 4,90 €."],
    );
}

#[test]
fn the_same_measure_without_a_word_of_change() {
    check(
        ("loudness of exports is -16 LUFS", "Exports are normalised to -16 LUFS."),
        ("the platform has a new spec, exports at -14 please", "The loudness is -14 LUFS."),
        &["loudness of exports is -16 LUFS", "Exports are normalised to -16 LUFS."],
    );
    check(
        ("the late fee is $45", "The late fee is $45."),
        ("the board voted. the late fee is 60 bucks", "The late fee is $60."),
        &["the late fee is $45", "The late fee is $45."],
    );
    // Another unit is another statement.
    check(
        ("robots drive at most 1.2 m/s", "Robots drive at most 1.2 m/s."),
        ("robots charge at 28 from now on", "Robots charge at 28 %."),
        &[],
    );
}

#[test]
fn a_part_with_several_values_goes_if_one_of_them_is_replaced() {
    check(
        ("episodes are published on Thursdays", "Episodes appear on Thursdays at 05:00."),
        ("publishing slides, episodes on Fridays now", "Episodes appear on Fridays at 05:00."),
        &["episodes are published on Thursdays", "Episodes appear on Thursdays at 05:00."],
    );
    // What is counted otherwise stays.
    check(
        (
            "requests time out after 30 seconds, and we try three times",
            "The timeout is 30 seconds.",
        ),
        ("people wait too long, 8 s is all it gets", "The timeout is 8 s now."),
        &["requests time out after 30 seconds", "The timeout is 30 seconds."],
    );
}

#[test]
fn a_participle_says_what_goes() {
    check(
        ("one minor version behind upstream", "We stay behind upstream."),
        ("nginx is being retired upstream, we go with Traefik", "Traefik is the ingress."),
        &[],
    );
}

#[test]
fn what_says_what_the_subject_is() {
    check(
        ("the ingress controller is Nginx", "The ingress controller is Nginx."),
        ("we looked at three of them", "Traefik is the ingress controller."),
        &["the ingress controller is Nginx", "The ingress controller is Nginx."],
    );
    check(
        ("payments go through Adyen", "Payments use the Adyen client."),
        ("we're on Mollie now for payments", "Payments run over Mollie."),
        &["payments go through Adyen", "Payments use the Adyen client."],
    );
    check(
        ("the ingress controller is Traefik", "The ingress controller is Traefik."),
        ("what scans the images", "Trivy is the scanner."),
        &[],
    );
}

#[test]
fn another_thing_in_its_place() {
    check(
        ("we render reports with wkhtmltopdf", "Reports are rendered by wkhtmltopdf."),
        ("wkhtmltopdf crashes on large tables, swap it for Typst", "Reports come from Typst now."),
        &["we render reports with wkhtmltopdf", "Reports are rendered by wkhtmltopdf."],
    );
    check(
        ("OCR with tesseract please", "OCR runs locally through tesseract."),
        ("tesseract is too weak, let's use PaddleOCR", "OCR is PaddleOCR now."),
        &["OCR with tesseract please", "OCR runs locally through tesseract."],
    );
    check(
        ("Die Suche ist Solr", "Die Suche ist Solr 9."),
        (
            "Solr ist uns zu schwer, wir nehmen ab sofort Meilisearch",
            "Die Suche ist jetzt Meilisearch.",
        ),
        &["Die Suche ist Solr", "Die Suche ist Solr 9."],
    );
}

#[test]
fn a_chain_takes_over_its_subject() {
    let turns = [
        turn("we store sightings in SQLite, photos in a folder", "The store is SQLite."),
        turn("SQLite is a pain. We go for CouchDB", "The store is CouchDB now."),
        turn(
            "I hate running couch. new plan for the sightings: Postgres",
            "Sightings live in Postgres.",
        ),
    ];
    let out = outdated(&turns);
    assert_eq!(out[0], ["we store sightings in SQLite", "The store is SQLite."]);
    assert_eq!(out[1], ["We go for CouchDB", "The store is CouchDB now."]);
    assert!(out[2].is_empty());
}

#[test]
fn what_is_about_something_else_stays() {
    let stays = |older, newer| check(older, newer, &[]);
    stays(
        ("the api listens on 8081", "The API listens on 8081."),
        ("raise the api rate limit to 100", "The API rate limit is 100 now."),
    );
    stays(
        ("the screen timeout is 90 seconds", "Timeout 90 s."),
        ("the timeout of uploads is 30 seconds from now on", "Uploads time out after 30 s."),
    );
    stays(
        ("video calls last 15 minutes by default", "Video calls last 15 minutes."),
        ("phone calls last 30 minutes by default now", "Phone calls last 30 minutes."),
    );
    stays(
        ("the database is Postgres", "The database is Postgres 16."),
        (
            "Postgres is slow on this query, let's use a BRIN index",
            "Added a BRIN index on `created_at`.",
        ),
    );
    stays(
        ("the database is Postgres", "The database is Postgres."),
        (
            "Postgres is too slow for the queue, we're switching to Redis there",
            "The queue runs on Redis now.",
        ),
    );
    stays(
        ("photos lie in a folder next to the database", "Photos are in `photos/`."),
        ("next, resize the photos, let's use sharp", "Photos are resized with sharp."),
    );
    stays(
        ("Die Fotos liegen im Ordner medien", "Die Fotos liegen in `medien/`."),
        ("Die Fotos im Ordner sind zu groß, nimm sharp", "Die Fotos werden mit sharp verkleinert."),
    );
    stays(
        ("the import runs at 2", "The import runs at 2:00."),
        ("the import takes 40 minutes now, can you speed it up", "The import takes 4 minutes now."),
    );
    stays(
        ("the sms provider is twilio", "Twilio is set up."),
        ("twilio stays, but raise the retries to 5", "Retries are 5."),
    );
    stays(
        ("commits in German, releases on Fridays", "Noted."),
        ("from now on the changelog is in English", "The changelog is in English."),
    );
}

#[test]
fn another_branch_and_a_long_request_replace_nothing() {
    let older = turn("the preview runs on port 3000", "Preview is on 3000.");
    let newer = turn("move the preview to 4200", "The preview listens on 4200 now.");
    let elsewhere = Exchange { can_replace: false, ..newer.clone() };
    assert!(outdated(&[older.clone(), elsewhere])[0].is_empty());
    let long =
        Exchange { request: format!("{} {}", newer.request, "and more ".repeat(60)), ..newer };
    assert!(outdated(&[older, long])[0].is_empty());
}

/// A turn is compared as itself, however often it was compared with others.
#[test]
fn a_turn_that_was_read_before_is_compared_anew() {
    let older = turn("the preview runs on port 3000", "Preview is on 3000.");
    let newer = turn("move the preview to 4200", "The preview listens on 4200 now.");
    let mut readings = Readings::default();
    let pair = vec![older.clone(), newer.clone()];
    let first = readings.outdated(pair.clone());
    assert_eq!(first[0], ["the preview runs on port 3000", "Preview is on 3000."]);
    assert_eq!(readings.outdated(vec![older.clone()]), [[""; 0]]);
    let elsewhere = Exchange { can_replace: false, ..newer };
    assert_eq!(readings.outdated(vec![older, elsewhere])[0], [""; 0]);
    assert_eq!(readings.outdated(pair), first);
}
