//! Bytes as ASP.NET Core and the official clients write them.

use bytes::Bytes;

use super::*;
use crate::message::{Invocation, Outcome};

const JSON: Codec = Codec { protocol: Protocol::Json, keys: Keys::AsInJson };
const MESSAGE_PACK: Codec = Codec { protocol: Protocol::MessagePack, keys: Keys::AsInJson };

/// Cuts and decodes all messages; a type that is not known is left out.
fn read(codec: Codec, bytes: &[u8]) -> Result<Vec<Incoming>, String> {
    let mut splitter = Splitter::new(codec.protocol, 32 * 1024);
    splitter.push(&Bytes::copy_from_slice(bytes));
    let mut read = Vec::new();
    while let Some(message) = splitter.next_message().map_err(|error| error.to_string())? {
        read.extend(codec.decode(&message).map_err(|error| error.to_string())?);
    }
    Ok(read)
}

fn read_json(text: &str) -> Result<Vec<Incoming>, String> {
    read(JSON, text.replace('␞', "\x1e").as_bytes())
}

fn read_hex(hex: &str) -> Result<Vec<Incoming>, String> {
    read(MESSAGE_PACK, &bytes_of(hex))
}

fn bytes_of(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn payload(codec: Codec, bytes: &[u8]) -> Payload {
    Payload { codec, bytes: Bytes::copy_from_slice(bytes) }
}

fn call(codec: Codec, id: Option<&str>, target: &str, arguments: &[&[u8]]) -> Incoming {
    Incoming::Invocation(Invocation {
        id: id.map(str::to_owned),
        target: target.to_owned(),
        arguments: arguments.iter().map(|bytes| payload(codec, bytes)).collect(),
        stream_ids: Vec::new(),
        is_stream: false,
    })
}

#[test]
fn a_call_in_json_has_its_properties_in_any_order() {
    let expected = call(JSON, Some("1"), "Add", &[b"2", b" { \"a\" : [ ] }".trim_ascii()]);
    for text in [
        r#"{"type":1,"invocationId":"1","target":"Add","arguments":[2,{ "a" : [ ] }]}␞"#,
        r#" {"arguments": [2 , { "a" : [ ] } ],"invocationId":"1","target":"Add","type":1} x␞"#,
        r#"{"\u0074ype":1,"x":{"y":[{}]},"headers":{"a":"b"},"invocationId":"0","target":"A\u0064d","invocationId":"1","arguments":[2,{ "a" : [ ] }],"streamIds":[]}␞"#,
    ] {
        assert_eq!(read_json(text).unwrap(), std::slice::from_ref(&expected), "{text}");
    }
}

#[test]
fn arguments_are_slices_of_the_message() {
    for (codec, message) in [
        (JSON, Bytes::from_static(br#"{"type":1,"target":"A","arguments":[[1,2],"x"]}"#)),
        (MESSAGE_PACK, bytes_of("950180c0a14192920102a178").into()),
    ] {
        let Some(Incoming::Invocation(call)) = codec.decode(&message).unwrap() else { panic!("no call") };
        let within = message.as_ptr_range();
        assert_eq!(call.arguments.len(), 2);
        for argument in &call.arguments {
            assert!(within.contains(&argument.bytes.as_ptr()));
        }
        assert_eq!(call.arguments[0].read::<Vec<u8>>().unwrap(), [1, 2]);
        assert_eq!(call.arguments[1].read::<String>().unwrap(), "x");
    }
}

#[test]
fn json_that_ends_the_connection() {
    for text in [
        "␞",
        "{␞",
        "hello␞",
        "[]␞",
        "null␞",
        "{}␞",
        r#"{"target":"A"}␞"#,
        r#"{"type":"1"}␞"#,
        r#"{"type":1.0}␞"#,
        r#"{"type":8589934592}␞"#,
        r#"{"type":6,}␞"#,
        r#"{"type":6/* c */}␞"#,
        r#"{"Type":6}␞"#,
        "\u{feff}{\"type\":6}␞",
        r#"{"type":1,"target":"A"}␞"#,
        r#"{"type":1,"arguments":[]}␞"#,
        r#"{"type":1,"target":null,"arguments":[]}␞"#,
        r#"{"type":1,"target":"A","arguments":null}␞"#,
        r#"{"type":1,"target":"A","arguments":{}}␞"#,
        r#"{"type":1,"target":"A","arguments":[NaN]}␞"#,
        r#"{"type":1,"target":"A","arguments":[01]}␞"#,
        r#"{"type":1,"target":"A","arguments":[1 2]}␞"#,
        "{\"type\":1,\"target\":\"A\",\"arguments\":[\"a\tb\"]}␞",
        r#"{"type":1,"target":"\ud800","arguments":[]}␞"#,
        r#"{"type":1,"target":"A","arguments":["\u00g0"]}␞"#,
        r#"{"type":1,"invocationId":null,"target":"A","arguments":[]}␞"#,
        r#"{"type":1,"invocationId":5,"target":"A","arguments":[]}␞"#,
        r#"{"type":1,"headers":null,"target":"A","arguments":[]}␞"#,
        r#"{"type":1,"headers":{"a":1},"target":"A","arguments":[]}␞"#,
        r#"{"type":1,"streamIds":null,"target":"A","arguments":[]}␞"#,
        r#"{"type":1,"streamIds":[1],"target":"A","arguments":[]}␞"#,
        r#"{"type":4,"target":"A","arguments":[]}␞"#,
        r#"{"type":4,"invocationId":"","target":"A","arguments":[]}␞"#,
        r#"{"type":2,"invocationId":"1"}␞"#,
        r#"{"type":2,"item":1}␞"#,
        r#"{"type":3,"result":1}␞"#,
        r#"{"type":3,"invocationId":"1","result":1,"error":"e"}␞"#,
        r#"{"type":5}␞"#,
        r#"{"type":8}␞"#,
        r#"{"type":8,"sequenceId":"1"}␞"#,
        r#"{"type":9}␞"#,
    ] {
        assert!(read_json(text).is_err(), "{text}");
    }
}

#[test]
fn other_messages_in_json() {
    let id = || "1".to_owned();
    let item = |bytes| payload(JSON, bytes);
    for (text, expected) in [
        (
            r#"{"type":2,"item":{"a":[1]},"invocationId":"1"}␞"#,
            Incoming::StreamItem { id: id(), item: item(br#"{"a":[1]}"#) },
        ),
        (r#"{"type":3,"invocationId":"1"}␞"#, Incoming::Completion { id: id(), outcome: Outcome::Void }),
        (
            r#"{"result":null,"type":3,"invocationId":"1"}␞"#,
            Incoming::Completion { id: id(), outcome: Outcome::Result(item(b"null")) },
        ),
        (
            r#"{"type":3,"invocationId":"1","error":"why"}␞"#,
            Incoming::Completion { id: id(), outcome: Outcome::Error("why".to_owned()) },
        ),
        (r#"{"type":5,"invocationId":"1"}␞"#, Incoming::CancelInvocation { id: id() }),
        (r#"{"type":6,"x":1}␞"#, Incoming::Ping),
        (r#"{"type":7,"error":"e","allowReconnect":true}␞"#, Incoming::Close { error: Some("e".to_owned()) }),
        (r#"{"type":8,"sequenceId":7}␞"#, Incoming::Ack { sequence: 7 }),
        (r#"{"type":9,"sequenceId":-1}␞"#, Incoming::Sequence { sequence: 0 }),
    ] {
        assert_eq!(read_json(text).unwrap(), [expected], "{text}");
    }
}

#[test]
fn types_that_are_not_known_are_skipped() {
    let json = r#"{"type":0}␞{"type":-1}␞{"type":99,"x":{"y":[1]}}␞{"type":6}␞"#;
    assert_eq!(read_json(json).unwrap(), [Incoming::Ping]);
    let expected = call(MESSAGE_PACK, Some("1"), "EchoInt", &[&[1]]);
    assert_eq!(read_hex("05936380a1780291000291ff0f950180a131a74563686f496e749101").unwrap(), [expected]);
}

#[test]
fn nesting_ends_at_64() {
    let json = |deep: usize| {
        let inner = deep - 2;
        let (open, close) = ("[".repeat(inner), "]".repeat(inner));
        format!(r#"{{"type":1,"target":"A","arguments":[{open}{close}]}}␞"#)
    };
    assert!(read_json(&json(64)).is_ok());
    assert!(read_json(&json(65)).is_err());
    assert!(read_json(&json(1_000_000)).is_err());
    assert!(read_json(&format!(r#"{{"type":6,"x":{}{}}}␞"#, "[".repeat(64), "]".repeat(64))).is_err());
    let message_pack = |deep: usize| {
        let mut message = bytes_of("950180c0a141");
        message.extend(std::iter::repeat_n(0x91, deep - 1));
        message.push(0xc0);
        MESSAGE_PACK.decode(&message.into())
    };
    assert!(message_pack(64).is_ok());
    assert!(message_pack(65).is_err());
    assert!(message_pack(1_000_000).is_err());
}

#[test]
fn what_is_not_text_fails_the_value_and_not_the_message() {
    let mut message = br#"{"type":1,"target":"A","x":"?","arguments":["?"]}"#.to_vec();
    for byte in &mut message {
        if *byte == b'?' {
            *byte = 0xff;
        }
    }
    let Some(Incoming::Invocation(call)) = JSON.decode(&message.into()).unwrap() else { panic!("no call") };
    assert!(call.arguments[0].read::<String>().is_err());
    let surrogate = read_json(r#"{"type":1,"target":"A","arguments":["\ud800"]}␞"#).unwrap();
    let [Incoming::Invocation(call)] = &surrogate[..] else { panic!("no call") };
    assert!(call.arguments[0].read::<String>().is_err());
}

#[test]
fn a_call_in_messagepack_of_every_form() {
    let expected = call(MESSAGE_PACK, Some("1"), "EchoInt", &[&[1]]);
    for hex in [
        "0f950180a131a74563686f496e749101",
        "10960180a131a74563686f496e74910190",
        "15970180a131a74563686f496e74910190a46d6f7265",
        "13950181a161a162a131a74563686f496e749101",
        "10950180a131d9074563686f496e749101",
        "13950180a131db000000074563686f496e749101",
        "1795d3000000000000000180a131a74563686f496e749101",
        "11dc00050180a131a74563686f496e749101",
        "159501de0000a131a74563686f496e74dd0000000101",
        "8f00950180a131a74563686f496e749101",
        "8f80808000950180a131a74563686f496e749101",
        "11950180a131a74563686f496e749101c0c0",
    ] {
        assert_eq!(read_hex(hex).unwrap(), std::slice::from_ref(&expected), "{hex}");
    }
    for (hex, id) in [("0c950180c0a44e6f746591a178", None), ("0c950180a0a44e6f746591a178", None)] {
        assert_eq!(read_hex(hex).unwrap(), [call(MESSAGE_PACK, id, "Note", &[&[0xa1, b'x']])], "{hex}");
    }
}

#[test]
fn arguments_that_are_not_messagepack_fail_the_call_only() {
    for hex in [
        "0d940180a131a74563686f496e74",
        "0e950180a131a74e6f7468696e67c0",
        "0e950180a131a74e6f7468696e6780",
        "0f950180a131a74563686f496e7491c1",
        "0e950180a131a74563686f496e7491",
    ] {
        let read = read_hex(hex).unwrap();
        let [Incoming::Invocation(call)] = &read[..] else { panic!("no call: {hex}") };
        assert_eq!(call.arguments.len(), 1, "{hex}");
        assert!(call.arguments[0].read::<Option<u8>>().is_err(), "{hex}");
        assert!(call.arguments[0].read::<()>().is_err(), "{hex}");
        assert!(call.arguments[0].read::<serde::de::IgnoredAny>().is_err(), "{hex}");
    }
    let read = read_hex("08930280a46e6f6e65").unwrap();
    let [Incoming::StreamItem { item, .. }] = &read[..] else { panic!("no item") };
    assert!(item.read::<Option<u8>>().is_err());
}

#[test]
fn messagepack_that_ends_the_connection() {
    for hex in [
        "10960180a131a74563686f496e749101c0",
        "0e95018005a74563686f496e749101",
        "0f9501c0a131a74563686f496e749101",
        "0f950190a131a74563686f496e749101",
        "12950181a16101a131a74563686f496e749101",
        "08950180a131c09101",
        "08950180a131a09101",
        "10950180a131c4074563686f496e749101",
        "1795cb3ff000000000000080a131a74563686f496e749101",
        "1095a13180a131a74563686f496e749101",
        "0f95c080a131a74563686f496e749101",
        "8f8080808000950180a131a74563686f496e749101",
        "8f80808008950180a131a74563686f496e749101",
        "00",
        "0101",
        "0481a16101",
        "0190",
        "0291c0",
        "03920580",
        "04930580c0",
        "09940380a46e6f6e6504",
        "09940380a46e6f6e6500",
        "09940380a46e6f6e6503",
        "0c950480c0a5436f756e749102",
        "0c950480a0a5436f756e749102",
        "0c960180a131a353756d909101",
        "029108",
        "049208a131",
        "029107",
    ] {
        assert!(read_hex(hex).is_err(), "{hex}");
    }
}

#[test]
fn other_messages_in_messagepack() {
    let id = || "none".to_owned();
    let value = |bytes| payload(MESSAGE_PACK, bytes);
    for (hex, expected) in [
        ("0a950280a46e6f6e650102", Incoming::StreamItem { id: id(), item: value(&[1]) }),
        (
            "0b950380a46e6f6e6501a165",
            Incoming::Completion { id: id(), outcome: Outcome::Error("e".to_owned()) },
        ),
        ("0e950380a46e6f6e6502a46d6f7265", Incoming::Completion { id: id(), outcome: Outcome::Void }),
        (
            "0b960380a46e6f6e65030102",
            Incoming::Completion { id: id(), outcome: Outcome::Result(value(&[1])) },
        ),
        ("09940580a46e6f6e6501", Incoming::CancelInvocation { id: id() }),
        ("039206c0", Incoming::Ping),
        ("039207c0", Incoming::Close { error: None }),
        ("059307a165c3", Incoming::Close { error: Some("e".to_owned()) }),
        ("03920801", Incoming::Ack { sequence: 1 }),
        ("03920903", Incoming::Sequence { sequence: 3 }),
    ] {
        assert_eq!(read_hex(hex).unwrap(), [expected], "{hex}");
    }
    let upload = read_hex("0d960180a131a353756d9091a173").unwrap();
    let [Incoming::Invocation(call)] = &upload[..] else { panic!("no call") };
    assert_eq!(call.stream_ids, ["s"]);
}

#[test]
fn messages_for_clients() {
    let number = |codec: Codec| codec.encode_value(&1).unwrap();
    let none = |codec: Codec| codec.encode_value(&[(); 0]).unwrap();
    let question = |codec: Codec| codec.encode_value(&("q",)).unwrap();
    let check = |expected_json: &str, expected_hex: &str, message: &dyn Fn(Codec) -> Bytes| {
        assert_eq!(message(JSON), expected_json.replace('␞', "\x1e"));
        assert_eq!(message(MESSAGE_PACK), bytes_of(expected_hex), "{expected_json}");
    };
    check(r#"{"type":1,"target":"Tick","arguments":[]}␞"#, "0b960180c0a45469636b9090", &|codec| {
        codec.encode(&Outgoing::Invocation { id: None, target: "Tick", arguments: &none(codec) })
    });
    check(
        r#"{"type":1,"invocationId":"s1","target":"Ask","arguments":["q"]}␞"#,
        "0e960180a27331a341736b91a17190",
        &|codec| {
            codec.encode(&Outgoing::Invocation { id: Some("s1"), target: "Ask", arguments: &question(codec) })
        },
    );
    check(r#"{"type":2,"invocationId":"1","item":1}␞"#, "06940280a13101", &|codec| {
        codec.encode(&Outgoing::StreamItem { id: "1", item: &number(codec) })
    });
    let completion = |codec: Codec, outcome: Outcome<&Payload>, is_stream| {
        codec.encode(&Outgoing::Completion { id: "1", outcome, is_stream })
    };
    check(r#"{"type":3,"invocationId":"1","result":1}␞"#, "07950380a1310301", &|codec| {
        completion(codec, Outcome::Result(&number(codec)), false)
    });
    check(r#"{"type":3,"invocationId":"1","result":null}␞"#, "07950380a13103c0", &|codec| {
        completion(codec, Outcome::Void, false)
    });
    check(r#"{"type":3,"invocationId":"1"}␞"#, "06940380a13102", &|codec| {
        completion(codec, Outcome::Void, true)
    });
    check(r#"{"type":3,"invocationId":"1","error":"a\"b"}␞"#, "0a950380a13101a3612262", &|codec| {
        completion(codec, Outcome::Error("a\"b".to_owned()), true)
    });
    check(r#"{"type":6}␞"#, "029106", &|codec| codec.encode(&Outgoing::Ping));
    check(r#"{"type":7}␞"#, "049307c0c2", &|codec| {
        codec.encode(&Outgoing::Close { error: None, allow_reconnect: false })
    });
    check(
        r#"{"type":7,"error":"Connection closed with an error.","allowReconnect":true}␞"#,
        "259307d920436f6e6e656374696f6e20636c6f736564207769746820616e206572726f722ec3",
        &|codec| {
            codec.encode(&Outgoing::Close {
                error: Some("Connection closed with an error."),
                allow_reconnect: true,
            })
        },
    );
    check(r#"{"type":8,"sequenceId":4}␞"#, "03920804", &|codec| {
        codec.encode(&Outgoing::Ack { sequence: 4 })
    });
    check(r#"{"type":9,"sequenceId":200}␞"#, "049209ccc8", &|codec| {
        codec.encode(&Outgoing::Sequence { sequence: 200 })
    });
}

#[test]
fn handshakes_that_are_accepted() {
    for (text, protocol, version) in [
        (r#"{"protocol":"json","version":1}"#, Protocol::Json, 1),
        (r#"{"protocol":"JSON","version":0}"#, Protocol::Json, 1),
        (r#"{"protocol":"messagepack","version":-1}"#, Protocol::MessagePack, 1),
        (r#" { "version" : 2 , "protocol" : "messagepack" } x"#, Protocol::MessagePack, 2),
        (r#"{"protocol":"bson","protocol":"json","version":7,"version":1,"more":[null]}"#, Protocol::Json, 1),
    ] {
        assert_eq!(
            HandshakeRequest::read(text.as_bytes()),
            Ok(HandshakeRequest { protocol, version }),
            "{text}"
        );
    }
}

#[test]
fn handshakes_that_are_refused() {
    let not_understood = "An unexpected error occurred during connection handshake.";
    for (text, error) in [
        (r#"{"protocol":"bson","version":1}"#, "The protocol 'bson' is not supported."),
        ("{\"protocol\":\"a\\\"b<é\",\"version\":1}", "The protocol 'a\"b<é' is not supported."),
        (
            r#"{"protocol":"json","version":3}"#,
            "The server does not support version 3 of the 'json' protocol.",
        ),
        (r#"{"protocol":"json","version":1.0}"#, not_understood),
        (r#"{"protocol":"json","version":"1"}"#, not_understood),
        (r#"{"protocol":"json","version":99999999999}"#, not_understood),
        (r#"{"protocol":"json"}"#, not_understood),
        (r#"{"Protocol":"json","Version":1}"#, not_understood),
        (r#"{"protocol":null,"version":1}"#, not_understood),
        (r#"{"type":6}"#, not_understood),
        ("", not_understood),
    ] {
        assert_eq!(HandshakeRequest::read(text.as_bytes()).unwrap_err().text, error, "{text}");
    }
    assert_eq!(handshake_answer(), "{}\x1e");
    assert_eq!(handshake_refusal("a\"b<é"), "{\"error\":\"a\\\"b<é\"}\x1e");
}

#[test]
fn a_message_of_the_limit_is_taken_and_one_above_it_is_not() {
    let json = |bytes: usize| [vec![b'x'; bytes - 1], vec![0x1e]].concat();
    let message_pack = |bytes: usize| {
        let length = bytes - 2;
        [vec![length as u8 & 0x7f | 0x80, (length >> 7) as u8], vec![b'x'; length]].concat()
    };
    for (protocol, message) in
        [(Protocol::Json, &json as &dyn Fn(usize) -> Vec<u8>), (Protocol::MessagePack, &message_pack)]
    {
        let mut splitter = Splitter::new(protocol, 512);
        splitter.push(&[message(512), message(300), message(512)].concat().into());
        for _ in 0..3 {
            assert!(splitter.next_message().unwrap().is_some());
        }
        assert_eq!(splitter.next_message(), Ok(None));
        splitter.push(&message(513).into());
        let too_long = Err(FrameError::TooLong { limit_bytes: 512 });
        assert_eq!(splitter.next_message(), too_long);
        splitter.push(&message(10).into());
        assert_eq!(splitter.next_message(), too_long);
    }
}

#[test]
fn a_message_above_the_limit_is_refused_before_it_has_come() {
    let too_long = Err(FrameError::TooLong { limit_bytes: 512 });
    let mut splitter = Splitter::new(Protocol::Json, 512);
    splitter.push(&vec![b'x'; 511].into());
    assert_eq!(splitter.next_message(), Ok(None));
    splitter.push(&vec![b'x'; 1].into());
    assert_eq!(splitter.next_message(), too_long);
    for length in ["ff03", "ffffffff07"] {
        let mut splitter = Splitter::new(Protocol::MessagePack, 512);
        splitter.push(&bytes_of(length).into());
        assert_eq!(splitter.next_message(), too_long);
    }
}
