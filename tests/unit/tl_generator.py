#!/usr/bin/env python3
"""What the generator refuses: every damaged schema ends in exit status 1 and one line that says why.

usage: tl_generator.py GENERATE.py API.tl MTPROTO.tl
"""
import os
import subprocess
import sys
import tempfile
import zlib


def summed(line):
    """The line with the id that it sums up to, so that only the damage meant is found."""
    name, rest = line.split(' ', 1)
    text = (name + ' ' + rest).rstrip(';').replace('<', ' ').replace('>', '')
    return '%s#%08x %s' % (name, zlib.crc32(text.encode()), rest)


CASES = [
    # (why, line added to the API schema, text of the complaint; None: accepted)
    ('a good line', summed('gapTest value:int = GapTest;'), None),
    ('a wrong id', 'gapTest#12345678 value:int = GapTest;', 'sums up to'),
    ('no combinator at all', 'gapTest', 'cannot read'),
    ('a name twice', summed('peer_user value:int = Peer;'), 'is taken by'),
    ('a name of the interface', summed('object value:int = Object;'), 'is taken by'),
    ('two fields of one C name', summed('gapTest a_b:int aB:int = GapTest;'), 'same C name'),
    ('a type that nothing constructs', summed('gapTest value:GapNothing = GapTest;'),
     'nothing constructs'),
    ('a flag of no word', summed('gapTest value:flags.0?int = GapTest;'), 'before use'),
    ('a vector of vectors', summed('gapTest value:Vector<Vector<int>> = GapTest;'), 'unsupported'),
    ('a vector of Bool', summed('gapTest value:Vector<Bool> = GapTest;'), 'nothing constructs'),
    ('something behind the rest', summed('gapTest query:!X value:int = GapTest;'), 'the rest'),
]


def attempt(generator, paths, line):
    with tempfile.TemporaryDirectory() as folder:
        api = os.path.join(folder, 'api.tl')
        with open(paths[0], encoding='utf-8') as source, open(api, 'w', encoding='utf-8') as copy:
            copy.write(line + '\n' + source.read())
        out = os.path.join(folder, 'out')
        done = subprocess.run([sys.executable, generator, 'tables', api, paths[1], out],
                              stderr=subprocess.PIPE, check=False)
        return done.returncode, done.stderr.decode(), os.path.exists(out)


def main(generator, *paths):
    failed = 0
    for why, line, complaint in CASES:
        status, text, written = attempt(generator, paths, line)
        if complaint is None:
            good = status == 0 and text == '' and written
        else:
            good = status == 1 and complaint in text and text.count('\n') == 1 and not written
        if not good:
            failed += 1
            print('%s: status %d, %s' % (why, status, text))
    print('%d%%: Checks: %d, Failures: %d, Errors: 0' %
          (100 * (len(CASES) - failed) // len(CASES), len(CASES), failed))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
