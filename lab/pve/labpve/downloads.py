"""Storage content with an effect: download-url, query-url-metadata, and files that go when their volume goes.

Only loopback is fetched from. A URL on the address of one of the lab's services, as a guest would write it, is fetched
from the loopback port behind that service.
"""

import asyncio
import hashlib
import ipaddress
import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, AsyncIterator
from urllib.parse import urljoin, urlsplit

import aiohttp
from aiohttp import web
from fakepve import TaskError
from fakepve.routing import die, param_error, split_list
from fakepve.server import API, USER, params

from .settings import Settings
from .volumes import VolumeApi

CHUNK = 1 << 20
MAX_REDIRECTS = 5


def resolve(url: str, settings: Settings) -> str:
    """The URL to fetch, or a TaskError for one outside the lab."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == 'https' else 80)
    for service in settings.network.services:
        if (parts.hostname, port) == (service.address, service.port):
            host, target = service.target_address
            return parts._replace(netloc=f'{host}:{target}').geturl()
    try:
        loopback = parts.hostname == 'localhost' or ipaddress.ip_address(parts.hostname or '').is_loopback
    except ValueError:
        loopback = False
    if parts.scheme not in ('http', 'https') or not loopback:
        raise TaskError(f"download failed: '{url}' is outside the lab: only loopback and its services are asked")
    return url


@asynccontextmanager
async def request(method: str, url: str, settings: Settings, verify: bool) -> AsyncIterator[aiohttp.ClientResponse]:
    """A response within the lab; redirects are followed by the same rule."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)
    async with aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as session:
        for _ in range(MAX_REDIRECTS):
            async with session.request(method, resolve(url, settings), allow_redirects=False, ssl=verify) as response:
                if response.status not in (301, 302, 303, 307, 308):
                    yield response
                    return
                url = urljoin(url, response.headers['Location'])
    raise TaskError(f"download failed: too many redirects for '{url}'")


def file_hash(algorithm: str, path: Path) -> str:
    """PVE::Tools::get_file_hash."""
    digest = hashlib.new(algorithm)
    with path.open('rb') as source:
        while block := source.read(CHUNK):
            digest.update(block)
    return digest.hexdigest()


class DownloadApi(VolumeApi):
    """Mixin before FakePve."""

    settings: Settings

    def _routes_lab_metadata(self) -> list[tuple[str, str, Any]]:
        return [('GET', '/nodes/{node}/query-url-metadata', self._url_metadata)]

    async def _url_metadata(self, v: dict[str, Any], user: str) -> dict[str, Any]:
        """PVE::API2::Nodes query_url_metadata: what a HEAD request says."""
        try:
            async with request('HEAD', v['url'], self.settings, bool(v.get('verify-certificates', 1))) as response:
                if response.status != 200:
                    raise die(f"invalid server response: '{response.status} {response.reason}'")
                name = Path(urlsplit(v['url']).path).name
                size = response.headers.get('Content-Length')
                return {'filename': name, 'mimetype': response.content_type, **({'size': int(size)} if size else {})}
        except (aiohttp.ClientError, TaskError) as error:
            raise die(f"invalid server response: '{error}'") from None

    async def _download_url(self, request_: web.Request) -> web.Response:
        """PVE::API2::Storage::Status download_url: permissions and parameters before the task, the rest inside."""
        match = self.resolve(request_, API)
        return web.json_response({'data': await self.answer(
            request_, match, await params(request_), request_[USER],
            lambda _match, v: self._start_download(v, request_[USER]))})

    async def _start_download(self, v: dict[str, Any], user: str) -> Any:
        name, store = v['storage'], self._active_store(v['storage'], v['node'])
        self._need_file_storage(
            store, "can't upload to storage type '{0}', not a file based storage!")
        if v['content'] not in split_list(store.get('content')):
            raise die(f"storage '{name}' is not configured for content-type '{v['content']}'")
        if bool(v.get('checksum')) != bool(v.get('checksum-algorithm')):
            missing = 'checksum' if v.get('checksum-algorithm') else 'checksum-algorithm'
            raise param_error(**{missing: "property is missing and it is not optional"})
        self._parse_volname(store, f"{v['content']}/{v['filename']}")
        return await self.task(v['node'], 'download', v['filename'], user, lambda: self._download(v), log=[
            f"downloading {v['url']} to {self.images.path(name, v['content'] + '/' + v['filename'])}"])

    async def _download(self, v: dict[str, Any]) -> None:
        """PVE::Tools::download_file_from_url."""
        volname = f"{v['content']}/{v['filename']}"
        target = self.images.path(v['storage'], volname)
        algorithm, expected = v.get('checksum-algorithm'), str(v.get('checksum', '')).lower()
        if target.exists():
            if algorithm and await asyncio.to_thread(file_hash, algorithm, target) == expected:
                return  # "got correct file already, no need to download"
            raise TaskError(f"refusing to override existing file '{target}'")
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f'{target.name}.tmp.{os.getpid()}')
        try:
            await self._fetch(v, partial)
            if algorithm:
                found = await asyncio.to_thread(file_hash, algorithm, partial)
                if found != expected:
                    raise TaskError(f"checksum mismatch: got '{found}' != expect '{expected}'")
            await self._register(v, volname, partial)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)

    async def _fetch(self, v: dict[str, Any], partial: Path) -> None:
        try:
            async with request('GET', v['url'], self.settings, bool(v.get('verify-certificates', 1))) as response:
                if response.status != 200:
                    raise TaskError(f'download failed: HTTP {response.status} {response.reason}')
                with partial.open('wb') as output:
                    async for block in response.content.iter_chunked(CHUNK):
                        output.write(block)
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
            raise TaskError(f'download failed: {error or type(error).__name__}') from None

    async def _register(self, v: dict[str, Any], volname: str, partial: Path) -> None:
        """Check an image as PVE checks an untrusted one (file_size_info), and list it with the file's size."""
        record = {'content': v['content'], 'format': Path(volname).suffix.lstrip('.'), 'size': partial.stat().st_size,
                  'ctime': int(partial.stat().st_mtime)}
        if v['content'] == 'import':
            info = await self.images.info(partial, self.images.format(Path(volname)))
            if info.get('backing-filename'):
                raise TaskError(f"backing file not allowed for untrusted image '{partial}'!")
            record['virtual-size'] = info['virtual-size']
        self.storages[v['storage']].setdefault('volumes', {})[volname] = record

    async def _content_delete(self, v: dict[str, Any], user: str) -> Any:
        """PVE::API2::Storage::Content delete: the record, then the file."""
        sid, volname, *_ = self._volume_target(v)
        upid = await super()._content_delete(v, user)

        async def remove() -> None:
            if volname not in self.storages[sid].get('volumes', {}):
                self.images.remove(self.images.path(sid, volname))
        if upid:
            self.after_task(upid, remove)
        else:
            await remove()
        return upid

    def after_task(self, upid: str, call: Any) -> None:
        """Await `call()` once a task has ended well; node.py."""
        raise NotImplementedError
