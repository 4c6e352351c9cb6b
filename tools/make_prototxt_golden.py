#!/usr/bin/env python3
"""Ask Google's protobuf how it reads tricky text: test/data/prototxt_golden.tsv for test_prototxt.c.

Each line: the text (quoted, C escapes), a tab, and the values it stands for, or "error". The message
is that of test_prototxt.c. Needs the Python package protobuf.

Left out, because we differ on purpose: zero bytes in strings, map keys given twice and enum numbers
without a name (errors here), and what Python's reader takes or refuses unlike the C++ one: 1_000,
0o17, 0b11, +3, "- 3", \\q, \\?, \\X41.
"""
import struct
import sys

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

F = descriptor_pb2.FieldDescriptorProto
TEXTS = r'''
i: 3|i:3|i : 3|i: -3|i: 0x1F|i: -0x1f|i: 017|i: 08|i: 2147483647|i: 2147483648|i: -2147483648
i: -2147483649|i: 1.0|i: 1e3|i: "3"|i: true|i: 3;|i: 3,|i: 3,,|i: 3;;|i 3|i: |i: 3 i: 4|i: [3]|i: --3
i: 99999999999999999999|i: 0|i: 00|i: 0x|i: 3abc|i: 3 # comment|# comment only|i: 3 f: 4|i: 3,f: 4|i:3f:4
f: 3|f: 3e-9|f: 1.|f: .5|f: 1.5f|f: 1F|f: inf|f: -inf|f: Infinity|f: -INF|f: nan|f: NaN|f: 1e40|f: -1e40|f: 1e-50
f: 0.1|f: 16777217|f: 1.17549435e-38|f: 3.4028235e38|f: 3.4028236e38|f: 1e|f: 1e+|f: 1e+5|f: 0x10|f: 012|f: 012.5|f: 0.5.5
f: "1"|f: 1/3|f: .|f: 1e-5f|f: 0f|f: 00.5|f: -.5|f: 1.5e3|f: true|f: 0.30000001192092896
b: true|b: false|b: True|b: False|b: t|b: f|b: 1|b: 0|b: TRUE|b: yes|b: 2|b: "true"|b: T|b: 00|b: 0x1
s: "a"|s: 'a'|s: "a" "b"|s: "a" 'b'|s: "a"
 "b" # c|s: 'it"s'|s: "it's"|s: "a\nb\t\r\\\"\'"|s: "\a\b\f\v"|s: "\101\60"|s: "\x41\x4a"|s: "\xe9"|s: "\303\251"
s: "\u00e9"|s: "\U0001F600"|s: "\x"|s: "\u12"|s: "\400"|s: "\1234"|s: "\x414"|s: "|s: "a|s: "a'|s: 'a"|s: ""|s: abc|s: 3
s: "é"|s: "a
b"|s: "\
"|s: "#no comment"|s: "a"|s: "\\"|s: "\\\""|s "a"|s: ["a"]
e: A|e: B|e: 2|e: D|e: "A"|e: a|e: 0x1
li: 1 li: 2|li: [1, 2]|li: []|li: [1,]|li: [,1]|li: [1 2]|li: [1, 2] li: 3|li [1]|li: [1|li: [[1]]|li: [0x10, -1]|li: [ # c
 1 ]|li: [1; 2]|li: [1], li: [2];
lf: [1, .5, inf]|lf: 1 lf: [2]|ls: ["a", 'b' "c"]|ls: "a" ls: "b"|ls: [a]|ls: ["a" , ]
m { x: 1 }|m: { x: 1 }|m < x: 1 >|m: < x: 1 >|m { x: 1 >|m < x: 1 }|m { x: 1|m { x: 1 }}|m {}|m { x: 1, y: "a" }|m { x: 1; y: "a"; }
m { x: 1 } m { x: 2 }|m: 3|m [ { x: 1 } ]|m { x: 1 },|m { z: 1 }|m{x:1}|m{x:1}i:2|m { m { x: 1 } }|m { # c
 x: 1 }|m ; { }
lm { x: 1 } lm { x: 2 }|lm [ { x: 1 }, < y: "a" > ]|lm: [ { x: 1 } ]|lm: []|lm [ ]|lm [ 1 ]|lm [ {x: 1} {x: 2} ]
mp { key: "a" value: 1 }|mp: { key: "a" value: 1 }|mp { key: "a", value: 1 } mp { key: "b" value: 2 }|mp [ { key: "a" value: 1 }, { key: "b" value: 2 } ]
mp { value: 1 key: "a" }|mp { key: "a" }|mp { key: 1 value: 1 }|mp < key: "a" value: .5 >
p { x: 1 }|q { x: 1 }|p { x: 1 } q { x: 2 }|p {} q {}|p {} p {}
unknown: 1|unknown { x: 1 }|I: 3|3: 3|: 3|}|{|i: 3 }|[i]: 3|i = 3|i: 3 = |"i": 3|@|i: @
'''


def field(msg, number, name, kind, label=F.LABEL_OPTIONAL, type_name=None):
    return msg.field.add(name=name, number=number, type=kind, label=label, type_name=type_name)


def message_class():
    file = descriptor_pb2.FileDescriptorProto(name="t.proto", package="t", syntax="proto3")
    inner = file.message_type.add(name="Inner")
    field(inner, 1, "x", F.TYPE_INT32)
    field(inner, 2, "y", F.TYPE_STRING)
    outer = file.message_type.add(name="Outer")
    kind = outer.enum_type.add(name="Kind")
    for number, name in enumerate("ABC"):
        kind.value.add(name=name, number=number)
    entry = outer.nested_type.add(name="MpEntry")
    entry.options.map_entry = True
    field(entry, 1, "key", F.TYPE_STRING)
    field(entry, 2, "value", F.TYPE_FLOAT)
    many, message = F.LABEL_REPEATED, F.TYPE_MESSAGE
    field(outer, 1, "i", F.TYPE_INT32)
    field(outer, 2, "f", F.TYPE_FLOAT)
    field(outer, 3, "b", F.TYPE_BOOL)
    field(outer, 4, "s", F.TYPE_STRING)
    field(outer, 5, "e", F.TYPE_ENUM, type_name=".t.Outer.Kind")
    field(outer, 6, "li", F.TYPE_INT32, many)
    field(outer, 7, "lf", F.TYPE_FLOAT, many)
    field(outer, 8, "ls", F.TYPE_STRING, many)
    field(outer, 9, "m", message, type_name=".t.Inner")
    field(outer, 10, "lm", message, many, ".t.Inner")
    field(outer, 11, "mp", message, many, ".t.Outer.MpEntry")
    outer.oneof_decl.add(name="pq")
    for number, name in ((12, "p"), (13, "q")):
        field(outer, number, name, message, type_name=".t.Inner").oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("t.Outer"))


def bits(f):
    return "nan" if f != f else "%08x" % struct.unpack("<I", struct.pack("<f", f))[0]


def text(s):
    return s.encode().hex()


def inner(m, name):
    return "%s{%d %s} " % (name, m.x, text(m.y))


def dump(m):
    out = "i=%d f=%s b=%d s=%s e=%d " % (m.i, bits(m.f), m.b, text(m.s), m.e)
    out += "li=%s lf=%s ls=%s " % (",".join(map(str, m.li)), ",".join(map(bits, m.lf)), ",".join(map(text, m.ls)))
    out += inner(m.m, "m") if m.HasField("m") else ""
    out += "".join(inner(x, "lm") for x in m.lm)
    out += "".join("mp{%s %s} " % (text(k), bits(m.mp[k])) for k in sorted(m.mp))
    out += "".join(inner(getattr(m, n), n) for n in "pq" if m.HasField(n))
    return out.strip()


def quote(s):
    plain = {"\n": "\\n", '"': '\\"', "\\": "\\\\", "\t": "\\t"}
    return '"' + "".join(plain.get(c, c) for c in s) + '"'


def main():
    cls = message_class()
    # Cases end at | or at a line's end; a line that begins with a blank continues the one before.
    cases = [c for line in TEXTS.strip().replace("\n ", "\0 ").replace("\nb\"", "\0b\"").replace("\n\"|", "\0\"|").split("\n")
             for c in line.split("|")]
    with open(sys.argv[1] if len(sys.argv) > 1 else "test/data/prototxt_golden.tsv", "w", encoding="utf-8") as out:
        for case in cases:
            case = case.replace("\0", "\n")
            try:
                result = dump(text_format.Parse(case, cls()))
            except text_format.ParseError:
                result = "error"
            out.write("%s\t%s\n" % (quote(case), result))


if __name__ == "__main__":
    main()
