use super::*;
use crate::outcome::{Second, Stage, Step};
use crate::sample;

/// The page's data as its script reads it.
fn embedded(page: &str) -> Outcome {
    let (_, after) = page.split_once(r#"<script type="application/json" id="data">"#).unwrap();
    let (json, _) = after.split_once("</script>").unwrap();
    serde_json::from_str(json).unwrap()
}

#[test]
fn no_text_becomes_markup() {
    let hostile = r#"</script><script>alert(1)</script><!--<img src=x onerror=alert(2)>{{data}}&"'"#;
    let mut outcome = sample::single();
    outcome.workload = hostile.to_owned();
    outcome.environment.command = hostile.to_owned();
    outcome.environment.warnings = vec![hostile.to_owned()];
    outcome.environment.versions.insert(hostile.to_owned(), hostile.to_owned());
    outcome.settings.insert(hostile.to_owned(), hostile.to_owned());
    outcome.steps[0].stages[3].name = hostile.to_owned();
    let page = render(&outcome);
    assert_eq!(page.matches("</script>").count(), 2, "the page's own two scripts");
    assert!(!page.contains("<img") && !page.contains("<script>alert") && !page.contains("<!--<"));
    let shown = embedded(&page);
    assert_eq!(shown.environment, outcome.environment, "and yet the text is whole");
    assert_eq!(shown.settings, outcome.settings);
    assert_eq!((shown.workload, &shown.steps[0].stages[3].name), (outcome.workload, &hostile.to_owned()));
}

#[test]
fn nothing_is_loaded_from_elsewhere() {
    let page = render(&sample::sweep());
    for outside in ["src=", "href=", "@import", "url(", "fetch(", "https://", "import("] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert_eq!(page.matches("http://").count(), page.matches("http://www.w3.org/2000/svg").count());
    assert!(!page.contains("{{"), "every part of the template is filled");
}

#[test]
fn a_sweep_has_its_result_every_step_and_every_stage() {
    let outcome = sample::sweep();
    let page = render(&outcome);
    let (_, heading) = page.split_once("<h1>").unwrap();
    assert!(heading.starts_with("3 million ticks/s are carried with p99 "), "{}", &heading[..80]);
    let shown = embedded(&page);
    assert_eq!(shown.steps.len(), 7);
    for step in &shown.steps {
        let names: Vec<_> = step.stages.iter().map(|stage| stage.name.as_str()).collect();
        assert_eq!(names, ["sent", "confirmed", "delivered", "signal", "committed"]);
        assert_eq!(step.series.len(), 35);
    }
}

#[test]
fn a_page_of_a_varied_option_names_it() {
    let page = render(&varied());
    let (_, heading) = page.split_once("<h1>").unwrap();
    assert!(heading.starts_with("instruments from 1 to 10000: from "), "{}", &heading[..80]);
    let names: Vec<_> = embedded(&page).steps.into_iter().map(|step| step.name).collect();
    assert_eq!(names, ["instruments 1", "instruments 100", "instruments 10000"]);
}

/// One step for each number of instruments, each at full speed.
fn varied() -> Outcome {
    let mut outcome = sample::single();
    let step = outcome.steps[0].clone();
    let steps = [(1u64, 1.0), (100, 0.9), (10_000, 0.7)].into_iter().map(|(instruments, share)| {
        let mut step = Step { name: format!("instruments {instruments}"), offered: None, ..step.clone() };
        step.totals.ticks_per_s *= share;
        step
    });
    outcome.steps = steps.collect();
    outcome.settings.insert("instruments".to_owned(), "1,100,10000".to_owned());
    outcome
}

#[test]
fn a_soak_of_a_day_is_a_page_of_bounded_size() {
    assert!(render(&soak()).len() < 1_000_000);
}

/// The single step's seconds over and over.
fn soak() -> Outcome {
    let mut outcome = sample::single();
    let series = &mut outcome.steps[0].series;
    let measured = series[5..].to_vec();
    let later = (series.len()..86_400).zip(measured.iter().cycle());
    series.extend(later.map(|(i, second)| Second { at: (i + 1) as f64, ..*second }));
    outcome
}

#[test]
fn an_empty_outcome_is_a_page_too() {
    assert!(embedded(&render(&Outcome::default())).steps.is_empty());
}

/// `cargo test -p perf pages_to_look_at -- --ignored`, then open them in a browser.
#[test]
#[ignore = "writes pages for people to look at"]
fn pages_to_look_at() {
    let folder = std::env::temp_dir().join("orchard-perf-pages");
    std::fs::create_dir_all(&folder).unwrap();
    let bare = Outcome {
        workload: "peers".to_owned(),
        steps: vec![Step { stages: vec![Stage::default()], ..Step::default() }],
        ..Outcome::default()
    };
    let mut short = sample::single();
    short.steps[0].series.truncate(2);
    let pages = [
        ("varied", varied()),
        ("short", short),
        ("sweep", sample::sweep()),
        ("single", sample::single()),
        ("soak", soak()),
        ("bare", bare),
        ("empty", Outcome::default()),
    ];
    for (name, outcome) in pages {
        let path = folder.join(format!("{name}.html"));
        std::fs::write(&path, render(&outcome)).unwrap();
        println!("{}", path.display());
    }
}
