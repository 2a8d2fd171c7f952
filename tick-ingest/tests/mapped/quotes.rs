//! Sides of a book that are absent, and sides that did not change.

use crate::{error_of, options, options_of, quotes, read};

const MAP: &str = "time=t:ns,symbol=s,bid=b,bid_size=bs,ask=a,ask_size=as";

fn quote(row: &str, map: &str) -> String {
    let text = format!("t,s,b,bs,a,as\n1,A,{row}\n");
    let batch = read(&text, &options(map)).unwrap_or_else(|error| panic!("{error}"));
    quotes(&batch).join("; ")
}

#[test]
fn a_side_is_absent_by_any_of_its_names() {
    let largest = format!("{:e}", f64::MAX);
    let names = ["", "NaN", "nan", "NA", "N/A", "null", "NULL", "None", "-", "\\N", " nan ", &largest];
    for name in names.into_iter().chain(["9223372036854775807", "1.7976931348623157E+308"]) {
        for size in ["", "0", "NaN", "null", "5"] {
            assert_eq!(quote(&format!("{name},{size},1.5,2"), MAP), "- | 1.5 x 2", "{name} {size}");
            assert_eq!(quote(&format!("1.5,2,{name},{size}"), MAP), "1.5 x 2 | -", "{name} {size}");
        }
    }
    assert_eq!(quote("NaN,NaN,NaN,NaN", MAP), "- | -");
}

#[test]
fn price_0_is_absent_unless_a_size_says_otherwise() {
    assert_eq!(quote("0,0,1.5,2", MAP), "- | 1.5 x 2");
    assert_eq!(quote("1.5,2,0.00,0", MAP), "1.5 x 2 | -");
    assert_eq!(quote("-0,0,1.5,2", MAP), "- | 1.5 x 2");
    assert_eq!(quote("0,nan,1.5,2", MAP), "- | 1.5 x 2");
    assert_eq!(quote("0,3,0.5,2", MAP), "0 x 3 | 0.5 x 2");
    assert_eq!(quote("-1.5,1,0,2", MAP), "-1.5 x 1 | 0 x 2");
    assert_eq!(quote("-1.5,1,0,0", MAP), "-1.5 x 1 | -");
    let without = "time=t:ns,symbol=s,bid=b,ask=a";
    assert_eq!(quote("0,,1.5,", without), "- | 1.5 x 0");
    assert_eq!(quote("1.5,,0,", without), "1.5 x 0 | -");
    assert_eq!(quote("0,,0,", without), "- | -");
    // A spread that is worth less than nothing may be offered for nothing.
    assert_eq!(quote("-0.25,,0,", without), "-0.25 x 0 | 0 x 0");
    assert_eq!(quote("-0.25,,nan,", without), "-0.25 x 0 | -");
}

#[test]
fn a_size_of_no_number_is_0_and_garbage_is_an_error() {
    assert_eq!(quote("1.5,nan,1.6,", MAP), "1.5 x 0 | 1.6 x 0");
    for row in ["x,1,1.5,2", "1.5,x,1.6,2", "1.5,1,inf,2", "1.5,1,1.6,-2", "--,1,1.5,2"] {
        let error = error_of(&format!("t,s,b,bs,a,as\n1,A,{row}\n"), &options(MAP));
        assert!(error.contains("x.csv:2: "), "{row}: {error}");
    }
    // A trade needs its price.
    let error = error_of("t,s,p\n1,A,NaN\n", &options("time=t:ns,symbol=s,price=p"));
    assert!(error.contains("price (column p)") && error.contains("only=COLUMN:TEXT"), "{error}");
}

#[test]
fn absent_sides_in_other_styles_and_scales() {
    let map = "time=t:ns,symbol=s,bid=b:1e-9,ask=a:1e-9";
    assert_eq!(quote("9223372036854775807,,1500000000,", map), "- | 1.5 x 0");
    let batch = read(
        "t;s;b;a\n1;A;NaN;1.000,5\n2;A;0,00;1,5\n",
        &options("time=t:ns,symbol=s,bid=b,ask=a,delimiter=;,decimal=comma,thousands=point"),
    );
    assert_eq!(quotes(&batch.unwrap()), ["- | 1000.5 x 0", "- | 1.5 x 0"]);
}

#[test]
fn an_empty_side_can_mean_that_it_did_not_change() {
    let map = format!("{MAP},empty=unchanged");
    let text = "t,s,b,bs,a,as\n\
                1,A,1.5,2,,\n\
                2,B,,,7,1\n\
                3,A,,,1.6,3\n\
                4,A,1.4,,,\n\
                5,A,,9,,\n\
                6,A,,,,\n\
                7,A,NaN,,,4\n\
                8,A,,1,,\n\
                9,A,1.3,1,0,0\n\
                10,B,6,2,,\n";
    let batch = read(text, &options(&map)).unwrap();
    assert_eq!(
        quotes(&batch),
        [
            "1.5 x 2 | -",
            "- | 7 x 1",
            "1.5 x 2 | 1.6 x 3",
            "1.4 x 2 | 1.6 x 3",
            "1.4 x 9 | 1.6 x 3",
            "- | 1.6 x 4",
            "- | 1.6 x 4",
            "1.3 x 1 | -",
            "6 x 2 | 7 x 1",
        ]
    );
    assert_eq!(batch.counts.skipped["row without change"], 1);
    // Without the option it is an absent side.
    assert_eq!(quotes(&read(text, &options(MAP)).unwrap())[3], "1.4 x 0 | -");
}

#[test]
fn a_malformed_row_changes_no_side() {
    let map = format!("{MAP},empty=unchanged");
    let text = "t,s,b,bs,a,as\n1,A,1.5,2,1.6,3\n2,A,9,9,x,\n3,A,,,1.7,\n4,C,x,,,\n";
    let batch = crate::read_rest(text, &options(&map));
    assert_eq!(quotes(&batch), ["1.5 x 2 | 1.6 x 3", "1.5 x 2 | 1.7 x 3"]);
    assert_eq!(batch.new_symbols.len(), 1);
    let trades = read("t,p\n1,\n", &options_of("A", "time=t:ns,price=p,empty=unchanged")).unwrap_err();
    assert!(trades.to_string().contains("is empty"), "{trades}");
}
