-- `orchard.signal` in the units that people and their tools read: prices as numeric with nine decimals,
-- times as timestamptz. A timestamptz holds microseconds (the rest is cut off), so the times are there in
-- full, too: `ts_event_ns` and `ts_recv_ns` are ns since the UNIX epoch. A side of the book that the
-- strategy had not seen is null.

DROP VIEW orchard.signal;

CREATE VIEW orchard.signal AS
SELECT l.run, l.strategy, l.shard, s.seq, s.n, i.symbol AS instrument,
    timestamptz 'epoch' + (s.ts_event / 1000) * interval '1 microsecond' AS ts_event,
    timestamptz 'epoch' + (s.ts_recv / 1000) * interval '1 microsecond' AS ts_recv,
    s.side,
    -- Multiplied and not divided, as that is exact.
    s.price * 0.000000001 AS price, s.bid * 0.000000001 AS bid, s.ask * 0.000000001 AS ask,
    s.ts_event AS ts_event_ns, s.ts_recv AS ts_recv_ns
FROM orchard.lane AS l
JOIN orchard.batch AS b ON b.lane = l.lane
CROSS JOIN LATERAL orchard.decode_signals(b.signals) AS s
LEFT JOIN orchard.instrument AS i ON i.run = l.run AND i.shard = l.shard AND i.id = s.instrument;
