#!/usr/bin/env python3
"""Turn the TL schemas into C: public headers with ids, flags and structs, and private tables.

usage: generate.py api|mt|calls|tables|skip API.tl MTPROTO.tl OUTPUT

  api       <gapless/tl_api.h>    the API schema
  mt        <gapless/tl_mt.h>     MTProto's own messages
  calls     <gapless/tl_calls.h>  one inline wrapper a method
  tables    tl_tables.c           what the reader, writer and printer walk
  skip      tl_skip.c             one function for every shape of object, to pass over it

Every id is checked against the CRC32 of its line. Whatever the C code could not handle (a vector
of vectors, an unknown type, two names that become one) is an error here, not a surprise there.
"""
import re
import sys
import textwrap
import zlib

LAYER = 227
VECTOR_ID = 0x1CB5C415
ALWAYS = 63  # bit number of what is not optional; what depends on no flag has it

# schema type -> (kind, C type, bytes on the wire or None)
PLAIN = {
    'int': ('INT', 'int32_t', 4),
    'long': ('LONG', 'int64_t', 8),
    'double': ('DOUBLE', 'double', 8),
    'int128': ('INT128', 'gap_int128_t', 16),
    'int256': ('INT256', 'gap_int256_t', 32),
    'string': ('STRING', 'gap_bytes_t', None),
    'bytes': ('BYTES', 'gap_bytes_t', None),
    'Bool': ('BOOL', 'bool', None),
    '#': ('FLAGS', 'uint32_t', 4),
}

KEYWORDS = set('''
alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t class
compl const const_cast constexpr continue decltype default delete do double dynamic_cast else enum
explicit export extern false float for friend goto if inline int linux long mutable namespace new
noexcept not not_eq nullptr operator or or_eq private protected public register reinterpret_cast
requires restrict return short signed sizeof static static_assert static_cast struct switch template
this thread_local throw true try typedef typeid typename typeof union unix unsigned using virtual
void volatile wchar_t while xor xor_eq concept co_await co_return co_yield char8_t'''.split())


class SchemaError(Exception):
    pass


def snake(name):
    name = name.replace('.', '_')
    name = re.sub(r'([A-Z]{2,})s(?![a-z])', lambda m: m[1].capitalize() + 's', name)  # IDs
    name = re.sub(r'([a-z0-9])([A-Z])', r'\1_\2', name)
    name = re.sub(r'([A-Z]+)([A-Z][a-z])', r'\1_\2', name)
    return name.lower()


def canonical(line):
    """The text whose CRC32 is the constructor's id."""
    out = []
    for i, token in enumerate(line.rstrip(';').split()):
        if i == 0:
            token = token.split('#')[0]
        elif re.fullmatch(r'\w+:\w+\.\d+\?true', token):
            continue
        elif ':' in token:
            field, kind = token.split(':', 1)
            token = field + ':' + re.sub(r'(^|\?)bytes$', r'\1string', kind)
        token = re.sub(r'%(\w)', lambda m: m[1].lower(), token)  # %Message is the bare message
        out.append(re.sub(r'[{}>]', '', token).replace('<', ' '))
    return ' '.join(out)


class Field:
    """One field: its place in the struct, how it is written, and when it is there."""

    def __init__(self, name, type_text, words):
        self.name = name
        self.text = type_text
        self.bit, self.word = ALWAYS, None
        match = re.fullmatch(r'(\w+)\.(\d+)\?(.+)', type_text)
        if match:
            if match[1] not in words:
                raise SchemaError('flag word %s is not defined before use' % match[1])
            self.word = words.index(match[1])
            self.bit = self.word * 32 + int(match[2])
            type_text = match[3]
        self.type = type_text
        self.kind, self.elem, self.elem_type, self.boxed = None, 'NONE', None, True
        self.member = snake(name) + ('_' if snake(name) in KEYWORDS else '')
        self.parse_type(type_text)
        if self.bit == ALWAYS and self.word is not None:
            raise SchemaError('bit 31 of flags2 is taken by the skipper')

    def parse_type(self, text):
        vector = re.fullmatch(r'([vV])ector<(%?[\w.]+)>', text)
        if text == 'true':
            self.kind, self.c_type = 'TRUE', None
        elif text in PLAIN:
            self.kind, self.c_type, _ = PLAIN[text]
        elif vector:
            self.kind, self.c_type, self.boxed = 'VECTOR', 'gap_tl_vector_t', vector[1] == 'V'
            self.elem, self.elem_type = element(vector[2])
        elif text in ('!X', 'Object'):
            self.kind, self.c_type = 'REST', 'gap_tl_object_t'
        elif re.fullmatch(r'(\w+\.)?[A-Z]\w*', text):
            self.kind, self.c_type, self.elem_type = 'OBJECT', 'gap_tl_object_t', text
        else:
            raise SchemaError('unsupported type ' + text)


def element(text):
    """(kind, type or constructor) of a vector's elements."""
    if text in PLAIN and text not in ('#', 'Bool'):
        return PLAIN[text][0], None
    if text.startswith('%'):
        return 'BARE', text[1:].lower()
    if re.fullmatch(r'(\w+\.)?[A-Z]\w*', text):
        return 'OBJECT', text
    if re.fullmatch(r'[a-z]\w*', text) and text not in PLAIN:
        return 'BARE', text
    raise SchemaError('unsupported vector element ' + text)


class Combinator:
    def __init__(self, line, schema, is_method):
        self.line, self.schema, self.is_method = line, schema, is_method
        match = re.fullmatch(r'([\w.]+)(?:#([0-9a-f]{8}))?\s+(.*?)\s*=\s*(.+);', line)
        if not match:
            raise SchemaError('cannot read: ' + line)
        self.name, self.result = match[1], match[4]
        crc = zlib.crc32(canonical(line).encode())
        self.id = int(match[2], 16) if match[2] else crc
        if crc != self.id:
            raise SchemaError('%s: id %08x, but the line sums up to %08x' %
                              (self.name, self.id, crc))
        self.snake = snake(self.name)
        self.upper = self.snake.upper()
        self.fields, words = [], []
        if self.id == VECTOR_ID:
            return
        for token in match[3].split():
            if token == '{X:Type}':
                continue
            name, type_text = token.split(':', 1)
            if type_text == '#':
                words.append(name)
            self.fields.append(Field(name, type_text, words))
        if len(words) > 2:
            raise SchemaError(self.name + ': more than two flag words')
        self.check_rest()

    def check_rest(self):
        for i, field in enumerate(self.fields):
            if field.kind != 'REST':
                continue
            if i != len(self.fields) - 1 or field.word is not None:
                raise SchemaError(self.name + ': only the last field may take the rest')
            if i > 0 and self.fields[i - 1].name == 'bytes' and self.fields[i - 1].kind == 'INT':
                field.kind, self.fields[i - 1].kind = 'SIZED', 'BYTE_COUNT'

    @property
    def members(self):
        return [f for f in self.fields if f.c_type]

    @property
    def prefix(self):
        return 'gap_tl_' if self.schema == 'api' else 'gap_mt_'

    @property
    def struct(self):
        return self.prefix + self.snake + '_t'

    @property
    def constant(self):
        return self.prefix.upper() + self.upper

    def fixed_size(self):
        """Bytes behind the id if they are the same in every object, else None."""
        sizes = [PLAIN[f.type][2] if f.type in PLAIN and f.kind != 'FLAGS' and f.word is None
                 else None for f in self.fields]
        return None if None in sizes else sum(sizes)


def parse(path, schema):
    out, is_method = [], False
    with open(path, encoding='utf-8') as file:
        for number, line in enumerate(file, 1):
            line = line.strip()
            if line == '---functions---':
                is_method = True
            elif line and not line.startswith('//'):
                try:
                    out.append(Combinator(line, schema, is_method))
                except SchemaError as error:
                    raise SchemaError('%s:%d: %s' % (path, number, error)) from None
    return out


def check_names(combinators):
    taken = {}
    for name in ('VECTOR', 'LAYER', 'DEPTH_MAX', 'OF', 'READ'):
        taken['GAP_TL_' + name] = 'tl.h'
    for name in ('object', 'vector', 'iter', 'field', 'info', 'slot', 'op', 'cursor', 'element'):
        taken['gap_tl_%s_t' % name] = 'tl.h'
    for c in combinators:
        names = [c.constant, c.struct] if c.id != VECTOR_ID else [c.constant]
        names += [flag_constant(c, f) for f in c.fields if f.word is not None]
        for name in names:
            if name in taken:
                raise SchemaError('%s: the name %s is taken by %s' % (c.name, name, taken[name]))
            taken[name] = c.name
        members = [f.member for f in c.members]
        if len(set(members)) != len(members):
            raise SchemaError(c.name + ': two fields get the same C name')


def flag_constant(c, field):
    return '%s_F%s_%s' % (c.constant, '2' if field.word == 1 else '', snake(field.name).upper())


# ---- public headers ---------------------------------------------------------------------------

HEAD = {
    'api': '''the Telegram API of layer %d in C: an id, flag bits and a plain struct for every
constructor and method. Generated from the schema; the structs are promised for this layer only.
Which C type a field has, and how to read and write the structs, is told in <gapless/tl.h>.
A combinator without members has the member unused_, because C has no empty struct.''' % LAYER,
    'mt': '''MTProto's own messages in C: an id and a plain struct for each. Generated from the
schema. See <gapless/tl.h>. The bare message has no id on the wire: GAP_MT_MESSAGE names it for
gap_tl_next_bare, and the writer computes its member bytes from the body.''',
    'calls': '''one typed wrapper of gap_client_call() for every method of the API. The shapes of
query and answer are those of the method's line in the schema, repeated in <gapless/tl_api.h>;
the query of a method without parameters may be NULL; results, ownership and threads are those of gap_client_call().''',
}


def comment(text, width=96):
    lines = textwrap.wrap(text, width, break_on_hyphens=False, break_long_words=False)
    if len(lines) == 1 and len(lines[0]) <= width - 4:
        return '/* %s */' % lines[0]
    return '/*\n' + '\n'.join(' * ' + line for line in lines) + '\n */'


def header_open(kind, *includes):
    guard = 'GAPLESS_TL_%s_H' % kind.upper()
    return '\n'.join([
        comment('gapless/tl_%s.h - %s' % (kind, ' '.join(HEAD[kind].split()))),
        '#ifndef ' + guard, '#define ' + guard, '', *('#include <%s>' % name for name in includes), '',
        '#ifdef __cplusplus', 'extern "C" {', '#endif', ''])


HEADER_CLOSE = '\n#ifdef __cplusplus\n}\n#endif\n#endif\n'


def struct_text(c):
    out = ['', comment(c.line.rstrip(';'))]
    out.append('#define %s 0x%08xU' % (c.constant, c.id))
    for f in c.fields:
        if f.word is not None:
            out.append('#define %s 0x%08xU' % (flag_constant(c, f), 1 << (f.bit % 32)))
    if c.id == VECTOR_ID:
        return '\n'.join(out)
    out.append('typedef struct %s {' % c.struct[:-2])
    out += ['    %s %s;' % (f.c_type, f.member) for f in c.members]
    if not c.members:
        out.append('    uint32_t unused_;')
    out.append('} %s;' % c.struct)
    return '\n'.join(out)


def emit_header(kind, combinators):
    out = [header_open(kind, 'gapless/tl.h')]
    if kind == 'api':
        out.append('/** Number of the API layer that these structs describe. */')
        out.append('#define GAP_TL_LAYER %d' % LAYER)
    out += [struct_text(c) for c in combinators if c.schema == kind]
    return '\n'.join(out) + '\n' + HEADER_CLOSE


def emit_calls(combinators):
    out = [header_open('calls', 'gapless/client.h', 'gapless/tl_api.h')]
    for c in combinators:
        if c.schema != 'api' or not c.is_method:
            continue
        out.append('\n/** %s; the answer is %s. */' % (c.name, c.result))
        out.append('GAP_NODISCARD static inline int %s%s(gap_client_t *client,' %
                   (c.prefix, c.snake))
        out.append('    const %s *query, gap_call_cb callback, void *data)' % c.struct)
        out.append('{\n    return gap_client_call(client, GAP_TL_OF(%s, query),\n'
                   '                           callback, data);\n}' % c.constant)
    return '\n'.join(out) + '\n' + HEADER_CLOSE


# ---- tables -----------------------------------------------------------------------------------

class Names:
    """All texts in one array of characters, each once; an offset stands for a text."""

    def __init__(self):
        self.offsets, self.blob = {}, bytearray()

    def add(self, text):
        if text not in self.offsets:
            self.offsets[text] = len(self.blob)
            self.blob += text.encode() + b'\0'
        return self.offsets[text]


class Tables:
    def __init__(self, combinators):
        self.combinators = [c for c in combinators if c.id != VECTOR_ID]
        self.names, self.types, self.bodies, self.fields = Names(), {}, {}, []
        self.type_names = [self.names.add('')]
        self.index = {}
        for i, c in enumerate(self.combinators):
            self.index[c.schema, c.name] = i
        ids = [c.id for c in self.combinators]
        if len(set(ids)) != len(ids):
            raise SchemaError('two combinators share an id')
        for c in self.combinators:
            self.type_number(c.schema, c.result)
        self.constructed = {(c.schema, c.result) for c in self.combinators if not c.is_method}
        self.body_of = [self.body(c) for c in self.combinators]
        self.rows = [self.row(c) for c in self.combinators]

    def type_number(self, schema, name):
        key = ('mt' if name == 'Bool' else schema, name)
        if key not in self.types:
            self.types[key] = len(self.type_names)
            self.type_names.append(self.names.add(name))
        return self.types[key]

    def target(self, c, field):
        """Number that tells what an object or a vector's element must be."""
        kind = field.elem if field.kind == 'VECTOR' else field.kind
        if kind == 'BARE':
            return self.index[c.schema, field.elem_type]
        if kind == 'OBJECT':
            if (c.schema, field.elem_type) not in self.constructed:
                raise SchemaError('%s: nothing constructs %s' % (c.name, field.elem_type))
            return self.type_number(c.schema, field.elem_type)
        return 0

    def row(self, c):
        first, words = len(self.fields), 0
        for f in c.fields:
            target = self.target(c, f)
            if f.kind == 'FLAGS':
                target, words = words, words + 1
            offset = 'offsetof(%s, %s)' % (c.struct, f.member) if f.c_type else '0'
            self.fields.append('{%d, %s, %d, GAP_TL_K_%s, %d, GAP_TL_K_%s, %d}' % (
                self.names.add(f.name), offset, target, f.kind, f.bit, f.elem, f.boxed))
        size = 'sizeof(%s)' % c.struct
        elem, elem_type = 'NONE', 0
        vector = re.fullmatch(r'Vector<(.+)>', c.result)
        if vector:
            elem, name = element(vector[1])
            elem_type = self.type_number(c.schema, name) if name else 0
        return '{0x%08xU, %d, %d, %s, %d, %d, %d, GAP_TL_K_%s, %d}' % (
            c.id, self.names.add(c.name), self.type_number(c.schema, c.result), size, first,
            elem_type, len(c.fields), elem, c.is_method)

    # -- skip functions: their statements are macros of tl/skip.h

    def body(self, c):
        """Index of the function that passes the fields of c; equal functions are one."""
        if c.fixed_size() is not None:
            return 0
        lines = ['    (void)state;']
        if any(f.word is not None and f.kind != 'TRUE' for f in c.fields):
            lines.insert(0, '    uint64_t flags = 0;\n')
        steps, i = self.steps(c), 0
        while i < len(steps):
            run = i
            while run < len(steps) and steps[run][1] != ALWAYS:
                run += 1
            lines += guarded(steps[i:run], '    ')
            if run < len(steps) and statement(*steps[run]):
                lines.append('    ' + statement(*steps[run]))
            i = run + 1
        return self.bodies.setdefault('\n'.join(lines), len(self.bodies))

    def steps(self, c):
        """[(operation, bit, pre, arg)]; `pre` are fixed bytes merged into what follows them."""
        out, pre, words, last_flags = [], 0, 0, None
        used = {f.word for f in c.fields if f.kind != 'TRUE'}
        for f in c.fields:
            size = PLAIN[f.type][2] if f.type in PLAIN else None
            if f.kind == 'TRUE':
                continue
            if f.kind == 'FLAGS' and words not in used:
                words += 1
            elif f.kind == 'FLAGS':
                if words == 1 and pre == 0 and last_flags == len(out) - 1 and out[-1][2] == 0:
                    out[-1] = ('FLAGS_BOTH', ALWAYS, 0, 8)
                else:
                    out.append(('FLAGS_%d' % words, ALWAYS, pre, 4))
                    pre = 0
                last_flags, words = len(out) - 1, words + 1
                continue
            if size is not None and f.bit == ALWAYS:
                if pre == 0 and last_flags is not None and last_flags == len(out) - 1:
                    op, bit, op_pre, arg = out[-1]
                    out[-1] = (op, bit, op_pre, arg + size)
                else:
                    pre += size
                continue
            if f.bit != ALWAYS and pre > 0:
                out.append(('FIXED', ALWAYS, pre, 0))
                pre = 0
            op, arg = self.step(c, f, size)
            if op == 'FIXED':
                out.append((op, f.bit, arg, 0))
            else:
                out.append((op, f.bit, pre, arg))
                pre = 0
        out.append(('END', ALWAYS, pre, 0))
        return out

    def step(self, c, f, size):
        if size is not None:
            return 'FIXED', size
        if f.kind in ('STRING', 'BYTES'):
            return 'STRING', 0
        if f.kind in ('BOOL', 'REST'):
            return f.kind, 0
        if f.kind == 'SIZED':
            return 'SIZED', 0
        if f.kind == 'OBJECT':
            return 'OBJECT', self.target(c, f)
        box = '' if f.boxed else '_BARE'
        fixed = {'INT': 4, 'LONG': 8, 'DOUBLE': 8, 'INT128': 16, 'INT256': 32}.get(f.elem)
        if f.elem == 'BARE':
            inner = self.combinators[self.index[c.schema, f.elem_type]]
            if inner.fields and inner.fields[-1].kind == 'SIZED':
                if (f.boxed, inner.name) != (False, 'message'):
                    raise SchemaError(c.name + ': unsupported vector of bare objects')
                return 'MESSAGES', 0
            fixed = inner.fixed_size()
            if fixed is None:
                raise SchemaError(c.name + ': unsupported vector of bare objects')
        if fixed is not None:
            return 'VECTOR_FIXED' + box, fixed
        if not f.boxed:
            raise SchemaError(c.name + ': unsupported bare vector')
        if f.elem == 'OBJECT':
            return 'VECTOR_OBJECT', self.target(c, f)
        return 'VECTOR_STRING', 0

    def slots(self):
        return perfect_hash([c.id for c in self.combinators])


def guarded(run, indent, at_once=4):
    """Optional steps: behind a test of all their bits if they are many, and so on for the rest."""
    if any(op != 'FIXED' and pre > 0 for op, _, pre, _ in run):
        raise SchemaError('an optional step cannot pass what is in front of it')
    if len(run) < 3:
        return ['%sif (flags & 0x%xU) %s' % (indent, 1 << s[1], statement(*s)) for s in run]
    mask = 0
    for step in run:
        mask |= 1 << step[1]
    out = ['%sif (flags & 0x%xU) {' % (indent, mask)]
    out += ['%s    if (flags & 0x%xU) %s' % (indent, 1 << s[1], statement(*s))
            for s in run[:at_once]]
    return out + guarded(run[at_once:], indent + '    ') + [indent + '}']


def statement(op, _, pre, arg):
    if op == 'END':
        return 'FIXED(%d);' % pre if pre > 0 else ''
    if op == 'FIXED':
        return 'FIXED(%d);' % pre
    if op.startswith('FLAGS'):
        return '%s(%d, %d);' % (op, pre, pre + arg)
    call = '%s(%s);' % (op, arg if arg else '')
    return 'FIXED(%d);\n    %s' % (pre, call) if pre > 0 else call


def perfect_hash(ids, buckets=1024, slots=4096):
    """Multiplier, displacement of every bucket, and {slot: position in ids}, without collisions."""
    for attempt in range(100):
        multiplier = (0x9E3779B1 + 2 * attempt * 0x85EBCA6B) & 0xFFFFFFFF
        groups = {}
        for position, value in enumerate(ids):
            groups.setdefault(value & (buckets - 1), []).append(
                ((value * multiplier & 0xFFFFFFFF) >> 20, position))
        moves, used = [0] * buckets, {}
        for bucket, members in sorted(groups.items(), key=lambda g: (-len(g[1]), g[0])):
            for move in range(slots):
                places = [(h + move) & (slots - 1) for h, _ in members]
                if len(set(places)) == len(places) and not any(p in used for p in places):
                    break
            else:
                break
            moves[bucket] = move
            for place, (_, position) in zip(places, members):
                used[place] = position
        if len(used) == len(ids):
            return multiplier, moves, used
    raise SchemaError('no perfect hash found')


def home(value, multiplier, moves):
    return ((value * multiplier & 0xFFFFFFFF) >> 20) + moves[value & 1023] & 4095


def rows(items, per_line=1):
    lines = [', '.join(items[i:i + per_line]) for i in range(0, len(items), per_line)]
    return '    ' + ',\n    '.join(lines) + ',\n'


def emit_tables(combinators):
    t = Tables(combinators)
    multiplier, moves, used = t.slots()
    if len(t.fields) > 65535:
        raise SchemaError('a table outgrew its 16-bit index')
    slots = []
    for place in range(4096):
        position = used.get(place)
        if position is None:
            # An id that lives elsewhere, so that looking anything up here fails.
            filler = next(i for i in range(9) if home(i, multiplier, moves) != place)
            slots.append('{%d, 0, 0, 0, 0}' % filler)
            continue
        c = t.combinators[position]
        fixed = c.fixed_size()
        slots.append('{0x%08xU, %d, %d, %d, %d}' % (
            c.id, t.type_number(c.schema, c.result) | (0x8000 if c.is_method else 0),
            0 if fixed is None else fixed + 4, t.body_of[position], position))
    out = ['/* Generated from the TL schemas: the tables declared in tl/tl.h. */',
           '#include "tl/tl.h"', '#include <gapless/tl_api.h>', '#include <gapless/tl_mt.h>',
           '#include <stddef.h>', '', '_Static_assert(GAP_TL_MULTIPLIER == 0x%08xU, "hash of tl/tl.h");' % multiplier,
           'const uint32_t gap_tl_info_count = %d;' % len(t.rows),
           'const uint32_t gap_tl_type_count = %d;' % len(t.type_names)]
    for decl, items, per_line in (
            ('uint16_t gap_tl_moves[]', [str(m) for m in moves], 16),
            ('gap_tl_slot_t gap_tl_slots[]', slots, 2),
            ('gap_tl_info_t gap_tl_infos[]', t.rows, 1),
            ('gap_tl_field_t gap_tl_fields[]', t.fields, 1),
            ('uint32_t gap_tl_type_names[]', [str(n) for n in t.type_names], 12),
            ('char gap_tl_names[]', [str(b) for b in t.names.blob], 20)):
        out.append('\nconst %s = {\n%s};' % (decl, rows(items, per_line)))
    return '\n'.join(out) + '\n'


def emit_skip(combinators):
    t = Tables(combinators)
    out = ['/* Generated from the TL schemas: the skip functions of tl/skip.h. */',
           '#include "tl/skip.h"']
    for body, number in t.bodies.items():
        out.append('\nstatic const uint8_t *body_%d(const uint8_t *p, const uint8_t *end, '
                   'gap_tl_state_t *state)\n{\n%s\n    return p;\n}' % (number, body))
    out.append('\nconst gap_tl_body_fn gap_tl_bodies[] = {\n%s};' % rows(
        ['body_%d' % n for n in t.bodies.values()], 8))
    return '\n'.join(out) + '\n'


def main(argv):
    if len(argv) != 5 or argv[1] not in ('api', 'mt', 'calls', 'tables', 'skip'):
        print(__doc__, file=sys.stderr)
        return 2
    kind, api, mtproto, output = argv[1:]
    try:
        combinators = parse(api, 'api') + parse(mtproto, 'mt')
        check_names(combinators)
        if kind == 'tables':
            text = emit_tables(combinators)
        elif kind == 'skip':
            text = emit_skip(combinators)
        elif kind == 'calls':
            text = emit_calls(combinators)
        else:
            text = emit_header(kind, combinators)
    except (OSError, SchemaError) as error:
        print('generate.py: %s' % error, file=sys.stderr)
        return 1
    with open(output, 'w', encoding='utf-8') as file:
        file.write(text)
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv))
