#!/usr/bin/env python3
"""Hold the C reader, writer and printer against a second reading of the schemas.

usage: tl_reference.py UNIT_TL_RANDOM API.tl MTPROTO.tl

Nothing here is shared with the generator: the schema is parsed, ids are summed, bytes are decoded
and encoded in a way of its own. The program's random objects, one of each combinator and seed,
must decode to what it printed, and encode to the same bytes again.
"""
import base64
import json
import struct
import subprocess
import sys
import zlib

API_LINES = 2418
MTPROTO_LINES = 55  # the vector's line included
SEEDS = range(1, 4)
VECTOR = 0x1CB5C415
TRUE, FALSE = 0x997275B5, 0xBC799737

failures = []
checks = 0


def check(good, text):
    global checks
    checks += 1
    if not good:
        failures.append(text)


def parse_line(line):
    """(name, id or None, [(field, condition or None, type)], result)"""
    left, result = line[:-1].split(' = ')
    words = left.split(' ')
    name, _, number = words[0].partition('#')
    fields = []
    for word in words[1:]:
        if word.startswith('{'):
            continue
        field, kind = word.split(':')
        condition = None
        if '?' in kind:
            condition, kind = kind.split('?')
            flag, bit = condition.split('.')
            condition = (flag, int(bit))
        fields.append((field, condition, kind))
    return name, int(number, 16) if number else None, fields, result


def signature(line):
    words = []
    for word in line[:-1].replace('{', '').replace('}', '').split(' '):
        if word.endswith('?true'):
            continue
        if word.endswith(':bytes') or word.endswith('?bytes'):
            word = word[:-5] + 'string'
        words.append(word)
    words[0] = words[0].split('#')[0]
    text = ' '.join(words).replace('%Message', 'message')
    return text.replace('<', ' ').replace('>', '')


class Schema:
    def __init__(self, paths):
        self.by_id, self.by_name, self.lines = {}, {}, []
        for space, path in enumerate(paths):
            count = 0
            for line in open(path, encoding='utf-8'):
                line = line.strip()
                if not line or line.startswith('//') or line.startswith('---'):
                    continue
                count += 1
                if '[ t ]' in line:
                    check(zlib.crc32(b'vector t:Type # [ t ] = Vector t') == VECTOR, line)
                    continue
                name, number, fields, result = parse_line(line)
                crc = zlib.crc32(signature(line).encode())
                check(number is None or number == crc, 'id of ' + line)
                self.by_id[crc] = (name, crc, fields)
                self.by_name[space, name] = self.by_id[crc]
            self.lines.append(count)

    def bare(self, kind):
        """The combinator that a vector's bare elements are of, if they are objects."""
        inner = kind[7:-1].replace('%Message', 'message')
        return self.by_name.get((1, inner)) if kind[0] == 'v' else None

    def named(self, value):
        """The combinator of a printed object; both schemas have a `message`."""
        space = 1 if 'seqno' in value or (0, value['_']) not in self.by_name else 0
        return self.by_name[space, value['_']]


class Reader:
    def __init__(self, schema, data):
        self.schema, self.data, self.at = schema, data, 0

    def take(self, n):
        if self.at + n > len(self.data):
            raise ValueError('short')
        self.at += n
        return self.data[self.at - n:self.at]

    def number(self, shape):
        return struct.unpack('<' + shape, self.take(struct.calcsize(shape)))[0]

    def string(self):
        length, head = self.take(1)[0], 1
        if length == 254:
            length, head = int.from_bytes(self.take(3), 'little'), 4
        elif length == 255:
            raise ValueError('string')
        value = self.take(length)
        self.take(-(head + length) % 4)
        return value

    def boxed(self):
        entry = self.schema.by_id.get(self.number('I'))
        if entry is None:
            raise ValueError('unknown')
        return self.fields(entry)

    def fields(self, entry):
        out, flags, last = {'_': entry[0]}, {}, None
        for name, condition, kind in entry[2]:
            if condition and not flags[condition[0]] >> condition[1] & 1:
                continue
            if kind == '#':
                flags[name] = self.number('I')
                continue
            end = self.at + last if (entry[0], name) == ('message', 'body') else None  # MTProto's
            out[name] = last = self.value(kind, end)
        return out

    def value(self, kind, end=None):
        if kind == 'true':
            return True
        if kind == 'int':
            return self.number('i')
        if kind == 'long':
            return str(self.number('q'))
        if kind == 'double':
            return self.number('d')
        if kind in ('int128', 'int256'):
            return base64.b64encode(self.take(int(kind[3:]) // 8)).decode()
        if kind == 'bytes':
            return base64.b64encode(self.string()).decode()
        if kind == 'string':
            return text_of(self.string())
        if kind == 'Bool':
            return {TRUE: True, FALSE: False}[self.number('I')]
        if kind.lower().startswith('vector<'):
            return self.vector(kind)
        if kind in ('!X', 'Object'):
            return self.rest(end or len(self.data))
        return self.boxed()

    def vector(self, kind):
        if kind[0] == 'V' and self.number('I') != VECTOR:
            raise ValueError('vector')
        inner, bare = kind[7:-1], self.schema.bare(kind)
        return [self.fields(bare) if bare else self.value(inner) for _ in range(self.number('I'))]

    def rest(self, end):
        data = self.take(end - self.at)
        inner = Reader(self.schema, data)
        try:
            value = inner.boxed()
            if inner.at == len(data):
                return value
        except (ValueError, KeyError):
            pass
        return {'_id': '%08x' % struct.unpack('<I', data[:4]),
                '_bytes': base64.b64encode(data).decode()}


def text_of(data):
    try:
        return data.decode('utf-8')
    except UnicodeDecodeError:
        return {'_bytes': base64.b64encode(data).decode()}


class Writer:
    """From the printed form back to bytes."""

    def __init__(self, schema):
        self.schema = schema

    def boxed(self, value):
        if '_id' in value:
            return base64.b64decode(value['_bytes'])
        entry = self.schema.named(value)
        return struct.pack('<I', entry[1]) + self.fields(entry, value)

    def fields(self, entry, value):
        out = b''
        for name, condition, kind in entry[2]:
            if kind == '#':
                word = 0
                for other, when, _ in entry[2]:
                    if when and when[0] == name and other in value:
                        word |= 1 << when[1]
                out += struct.pack('<I', word)
            elif condition is None or name in value:
                out += self.value(kind, value[name])
        return out

    def value(self, kind, value):
        simple = {'int': 'i', 'double': 'd', 'long': 'q'}
        if kind == 'true':
            return b''
        if kind in simple:
            return struct.pack('<' + simple[kind], int(value) if kind == 'long' else value)
        if kind in ('int128', 'int256'):
            return base64.b64decode(value)
        if kind == 'bytes':
            return string(base64.b64decode(value))
        if kind == 'string':
            return string(value.encode() if isinstance(value, str)
                          else base64.b64decode(value['_bytes']))
        if kind == 'Bool':
            return struct.pack('<I', TRUE if value else FALSE)
        if kind.lower().startswith('vector<'):
            head = struct.pack('<I', VECTOR) if kind[0] == 'V' else b''
            inner, bare = kind[7:-1], self.schema.bare(kind)
            return head + struct.pack('<I', len(value)) + b''.join(
                self.fields(bare, v) if bare else self.value(inner, v) for v in value)
        return self.boxed(value)


def string(data):
    head = bytes([len(data)]) if len(data) < 254 else b'\xfe' + len(data).to_bytes(3, 'little')
    return head + data + bytes(-(len(head) + len(data)) % 4)


def check_line(schema, writer, line):
    packed, printed = line.split(' ', 1)
    data = bytes.fromhex(packed)
    value = json.loads(printed)
    reader = Reader(schema, data)
    decoded = reader.boxed()
    check(reader.at == len(data) and decoded == value, 'decoded differs: ' + line[-300:])
    # A flag word may have a bit set for one of two fields that share it only together, so the
    # words are the same whichever field they are derived from.
    check(writer.boxed(value) == data, 'encoded differs: ' + line[-300:])
    return decoded['_']


def main(program, *paths):
    schema = Schema(paths)
    check(schema.lines == [API_LINES, MTPROTO_LINES], 'lines %s' % schema.lines)
    writer = Writer(schema)
    for seed in SEEDS:
        text = subprocess.run([program, '--dump', str(seed)], check=True, stdout=subprocess.PIPE)
        lines = text.stdout.decode('utf-8').splitlines()
        names = {check_line(schema, writer, line) for line in lines}
        wanted = {name for _, name in schema.by_name}
        check(names == wanted and len(lines) == len(schema.by_id), 'seed %d leaves out %s' %
              (seed, sorted(wanted - names)[:5]))
    for text in failures[:20]:
        print(text)
    print('%d%%: Checks: %d, Failures: %d, Errors: 0' %
          (100 * (checks - len(failures)) // checks, checks, len(failures)))
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
