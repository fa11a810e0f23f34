"""`coremlc cache path|ls|info`."""

from __future__ import annotations

import click

from coremlc.cli import options


@click.group("cache", context_settings={"help_option_names": ["-h", "--help"]})
def cache_group() -> None:
    """Look at the cache of compiled bundles.

    It lies where the system keeps caches; COREMLC_CACHE names another place.

    \b
    Example:
        coremlc cache ls
    """


@cache_group.command("path")
def path_command() -> None:
    """Print where the cache lies.

    \b
    Example:
        du -sh "$(coremlc cache path)"
    """
    from coremlc.cache import cache_root

    click.echo(str(cache_root()))


@cache_group.command("ls")
@options.json_option
def ls_command(as_json: bool) -> None:
    """List the entries, the one used last first.

    \b
    Examples:
        coremlc cache ls
        coremlc cache ls --json | jq '.entries | length'
    """
    from coremlc.inspection import cache_list

    options.show(cache_list(), as_json=as_json)


@cache_group.command("info")
@click.argument("key")
@options.json_option
def info_command(key: str, as_json: bool) -> None:
    """Tell what the entry of KEY holds and what its key is made of, and verify its files.

    KEY may be the beginning of a key.

    \b
    Example:
        coremlc cache info 3fa2
    """
    from coremlc.inspection import cache_info

    options.show(cache_info(key), as_json=as_json)
