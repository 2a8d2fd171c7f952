//! Forms of tables: lines that are no rows, lines of other lengths, rows of other kinds, and scales.

use crate::{error_of, levels, options, options_of, read, read_rest};

const MAP: &str = "time=t:ns,symbol=s,price=p,size=q";

#[test]
fn comments_and_trailers_are_passed_over_wherever_they_stand() {
    let text = "# made by hand\nt,s,p,q\n1,A,1.5,2\n# a comment, with a comma\n2,A,1.6,2\nEND 2 rows\n\
                # made by hand\nt,s,p,q\n3,A,1.7,2\nEND 1 row\n";
    let batch = read(text, &options(&format!("{MAP},comment=#,trailer=END"))).unwrap();
    assert_eq!(levels(&batch), ["1.5 x 2", "1.6 x 2", "1.7 x 2"]);
    let skipped: Vec<_> = batch.counts.skipped.iter().map(|(name, count)| (&**name, *count)).collect();
    assert_eq!(skipped, [("comment", 3), ("repeated header", 1), ("trailer", 2)]);
    assert!(
        error_of(text, &options(&format!("{MAP},comment=#"))).contains("x.csv:6: line has 1 instead of 4")
    );
}

#[test]
fn empty_lines_count_among_those_that_are_skipped() {
    let text = "Export\n\n\r\nof today\nt,s,p,q\r\n1,A,1.5,2\r\n";
    let batch = read(text, &options(&format!("{MAP},skip=4"))).unwrap();
    assert_eq!(levels(&batch), ["1.5 x 2"]);
    assert!(error_of(text, &options(&format!("{MAP},skip=3"))).contains("no column"));
    assert!(error_of(text, &options(&format!("{MAP},skip=60"))).contains("skip="));
    // Without a header a row comes next.
    let rows = "x\ny\n1,A,1.5,2\n2,A,1.6,1\n";
    let map = "time=#1:ns,symbol=#2,price=#3,size=#4,skip=2";
    assert_eq!(levels(&read(rows, &options(map)).unwrap()), ["1.5 x 2", "1.6 x 1"]);
}

#[test]
fn a_byte_order_mark_of_a_joined_file_means_nothing() {
    let text = "\u{feff}t,s,p,q\n1,A,1.5,2\n\u{feff}t,s,p,q \n2,A,1.6,2\n";
    let batch = read(text, &options(MAP)).unwrap();
    assert_eq!(levels(&batch), ["1.5 x 2", "1.6 x 2"]);
    let rows = "\u{feff}1,A,1.5,2\n\u{feff}2,A,1.6,2\n";
    let batch = read(rows, &options("time=#1:ns,symbol=#2,price=#3,size=#4")).unwrap();
    assert_eq!(levels(&batch), ["1.5 x 2", "1.6 x 2"]);
}

/// The columns of a joined file of another order must not be read as those of the first.
#[test]
fn another_header_is_no_repeated_one() {
    let text = "t,s,p,q\n1,A,1.5,2\nt,s,q,p\n2,A,2,1.6\n";
    assert!(error_of(text, &options(MAP)).contains("x.csv:3: time (column t)"));
}

#[test]
fn ragged_lines_are_filled_up_and_their_values_stay_in_place() {
    let map = format!("{MAP},ragged=yes");
    let text =
        "t,s,p,q,note\n1,A,1.5,2\n2,A,1.6,2,x,,\n3,\"A\",1.7,2,\"a \"\"note\"\"\"\n4,A,1.8,2,,\" \",\n";
    let batch = read(text, &options(&map)).unwrap();
    assert_eq!(levels(&batch), ["1.5 x 2", "1.6 x 2", "1.7 x 2", "1.8 x 2"]);
    let error = error_of("t,s,p,q\n1,A,1.5,2,3\n", &options(&map));
    assert!(error.contains("has 5 instead of 4 fields"), "{error}");
    // What a row needs must be there all the same.
    let error = error_of("t,s,p,q\n1,A,1.5\n", &options(&map));
    assert!(error.contains("size (column q) is empty"), "{error}");
    assert!(error_of("t,s,p,q\n1,A\n", &options(&map)).contains("price (column p) is empty"));
}

#[test]
fn rows_of_other_kinds_are_counted_by_their_text() {
    let text = "t,s,p,q,type\n1,A,1.5,2,TRADE\n2,A,,,QUOTE\nx,,,,QUOTE\n3,A,1.6,1, TRADE\n4,A,1.7,1,trade\n5,A,1,1,\n";
    let batch = read(text, &options(&format!("{MAP},only=type:TRADE"))).unwrap();
    assert_eq!(levels(&batch), ["1.5 x 2", "1.6 x 1"]);
    let skipped: Vec<_> = batch.counts.skipped.iter().map(|(name, count)| (&**name, *count)).collect();
    assert_eq!(skipped, [("type=", 1), ("type=QUOTE", 2), ("type=trade", 1)]);
    let batch = read(text, &options(&format!("{MAP},only=type:TRADE|trade|"))).unwrap();
    assert_eq!(levels(&batch), ["1.5 x 2", "1.6 x 1", "1.7 x 1", "1 x 1"]);
    assert!(error_of(text, &options(&format!("{MAP},only=kind:T"))).contains("no column kind"));
}

#[test]
fn names_of_rows_that_are_left_out_have_a_bound() {
    let rows: String = (0..1000).map(|i| format!("{i},A,1,1,{i}{}\n", "é".repeat(100))).collect();
    let batch = read(&format!("t,s,p,q,type\n{rows}"), &options(&format!("{MAP},only=type:x"))).unwrap();
    assert!(batch.ticks.is_empty() && batch.counts.skipped.len() <= 65);
    assert_eq!(batch.counts.skipped.values().sum::<u64>(), 1000);
    assert!(batch.counts.skipped.keys().all(|name| name.len() <= 64));
}

#[test]
fn a_trade_of_nothing_is_none() {
    let text = "t,s,p,q\n1,A,0,0\n2,A,0,1\n3,A,1.5,0\n4,A,-2,1\n";
    let batch = read(text, &options(MAP)).unwrap();
    assert_eq!(levels(&batch), ["0 x 1", "1.5 x 0", "-2 x 1"]);
    assert_eq!(batch.counts.skipped["price 0 and size 0"], 1);
    let batch = read("t,s,p\n1,A,0\n", &options("time=t:ns,symbol=s,price=p")).unwrap();
    assert_eq!(levels(&batch), ["0 x 0"]);
}

#[test]
fn a_scale_below_1e_9_is_said_once() {
    let text = "t,s,p,q\n1,A,0.000000001234,2\n2,A,0.000000001235,2\n";
    let error = error_of(text, &options(MAP));
    assert!(error.contains("price=COLUMN:1e-12"), "{error}");
    let batch = read(text, &options("time=t:ns,symbol=s,price=p:1e-12,size=q")).unwrap();
    assert_eq!(batch.ticks.iter().map(|tick| tick.price).collect::<Vec<_>>(), [1234, 1235]);
    let [note] = &batch.counts.notes[..] else { panic!("{:?}", batch.counts.notes) };
    assert!(note.contains("prices are in units of 1e-12") && note.contains("1 is shown as 1000"), "{note}");
    let fine = text.replace("34,", "34567,");
    let error = error_of(&fine, &options("time=t:ns,symbol=s,price=p:1e-12,size=q"));
    assert!(error.contains("finer than 1e-12") && error.contains("price=COLUMN:1e-15"), "{error}");
}

#[test]
fn a_table_without_symbols_is_one_instrument_and_says_so() {
    let batch = read("t,p\n1,1.5\n2,1.6\n", &options_of("XBTUSD", "time=t:ns,price=p")).unwrap();
    assert_eq!(batch.new_symbols.len(), 1);
    assert_eq!(batch.counts.notes, ["no column names the instrument: all rows are of XBTUSD"]);
    assert!(read("t,s,p,q\n1,A,1,1\n", &options(MAP)).unwrap().counts.notes.is_empty());
}

#[test]
fn what_was_rounded_is_counted_of_good_lines_only() {
    let text = "t,s,p,q,m\n1,A,0.30000000000000004,1.1000000000000001,true\n2,A,0.30000000000000004,1,?\n\
                3,A,0.1,100000000000.30000000000000004,f\n";
    let batch = read_rest(text, &options(&format!("{MAP},maker=m")));
    assert_eq!(batch.ticks.len(), 2);
    assert_eq!(batch.ticks[0].price, 300_000_000);
    assert_eq!((batch.counts.rounded, batch.counts.saturated_sizes, batch.counts.bad_lines), (2, 1, 1));
}
