#!/usr/bin/env python3
"""A stand-in for proxmox-backup-client: the commands the node uses, on a directory beside this file."""

import calendar
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
STORE = HERE / 'store'
FLAGS = {}
WORDS = []


def fail(message):
    print(f'Error: {message}', file=sys.stderr)
    sys.exit(255)


def copy(source, target):
    subprocess.run(['cp', '--sparse=always', str(source), str(target)], check=True)


def snapshot(name):
    path = STORE / name
    if not path.is_dir():
        fail(f'snapshot {name} does not exist')
    return path


def meta(path, **changes):
    file = path / '.meta'
    data = json.loads(file.read_text()) if file.exists() else {}
    if changes:
        file.write_text(json.dumps({**data, **changes}))
    return {**data, **changes}


def files(path):
    suffix = {'.img': '.fidx', '.conf': '.blob'}
    return [{'filename': file.name + suffix[file.suffix], 'size': file.stat().st_size,
             'crypt-mode': meta(path).get('crypt', 'none')} for file in sorted(path.iterdir()) if file.suffix in suffix]


def snapshots(group=None):
    out = []
    for path in sorted(STORE.glob(f'{group or "*/*"}/*')):
        kind, name, moment = path.relative_to(STORE).parts
        epoch = calendar.timegm(time.strptime(moment, '%Y-%m-%dT%H:%M:%SZ'))
        out.append({'backup-type': kind, 'backup-id': name, 'backup-time': epoch, 'files': files(path),
                    'size': sum(item['size'] for item in files(path)), 'comment': meta(path).get('notes'),
                    'protected': meta(path).get('protected', False), 'path': path})
    return out


def backup():
    moment = time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(int(FLAGS['backup-time'])))
    path = STORE / FLAGS['backup-type'] / FLAGS['backup-id'] / moment
    path.mkdir(parents=True)
    for word in WORDS:
        name, _, source = word.partition(':')
        print(f'{name}: had to back up')
        copy(source, path / name)
    meta(path, crypt=FLAGS['crypt-mode'])
    while (HERE / 'hold').exists():
        time.sleep(0.02)


def prune():
    keep = {'keep-last': lambda item: item['backup-time'],
            'keep-daily': lambda item: time.strftime('%F', time.localtime(item['backup-time']))}
    found, kept = sorted(snapshots(WORDS[0]), key=lambda item: -item['backup-time']), set()
    for option, period in keep.items():
        periods = []
        for item in found:
            if option in FLAGS and period(item) not in periods and len(periods) < int(FLAGS[option]):
                periods.append(period(item))
                kept.add(item['backup-time'])
    answer = []
    for item in found:
        path = item.pop('path')
        item['keep'] = item['protected'] or item['backup-time'] in kept
        answer.append(item)
        if not item['keep']:
            shutil.rmtree(path)
    return answer


def run(command):
    if command == 'status':
        return {'total': 1000, 'used': 400, 'avail': 600}
    if command == 'backup':
        return backup()
    if command == 'snapshot list':
        return [{key: value for key, value in item.items() if key != 'path'} for item in snapshots(*WORDS)]
    if command == 'snapshot files':
        return files(snapshot(WORDS[0]))
    if command == 'snapshot forget':
        return shutil.rmtree(snapshot(WORDS[0]))
    if command == 'snapshot notes':
        meta(snapshot(WORDS[1]), notes=WORDS[2])
    if command == 'snapshot protected':
        meta(snapshot(WORDS[1]), protected=WORDS[2] == 'true')
    if command == 'restore':
        copy(snapshot(WORDS[0]) / WORDS[1], WORDS[2])
    return prune() if command == 'prune' else None


def main():
    arguments = sys.argv[1:]
    with (HERE / 'calls.jsonl').open('a') as calls:
        env = {key: value for key, value in os.environ.items() if key.startswith('PBS_')}
        calls.write(json.dumps({'argv': arguments, 'env': env}) + '\n')
    command = ' '.join(arguments[:2] if arguments[0] == 'snapshot' else arguments[:1])
    rest = iter(arguments[len(command.split()):])
    for word in rest:
        if word.startswith('--'):
            FLAGS[word[2:]] = next(rest)
        else:
            WORDS.append(word)
    failing = (HERE / 'fail').read_text() if (HERE / 'fail').exists() else ''
    if failing and ' '.join(arguments).startswith(failing):
        fail(f'{command}: connection refused')
    answer = run(command)
    if FLAGS.get('output-format') == 'json':
        print(json.dumps(answer))


main()
