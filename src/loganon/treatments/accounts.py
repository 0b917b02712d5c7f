"""Places in a path where the name of a user stands: behind `/users/`, `~`, `@`, and where some servers have their own.

Detection cannot find names. So a segment is a name where those before it say so, unless it is a page or a folder that
applications keep beside their users.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

USER_SEGMENTS = frozenset(
    str.split(
        "user users username u profile profiles profil profile member members account accounts people person "
        "customer customers benutzer nutzer mitglied mitglieder kunde kunden utilisateur utilisateurs usuario "
        "usuarios utente "
    )
)
_NO_USERS = frozenset(  # pages and folders that applications keep beside their users
    str.split(
        "login logout signin signout signup sign_in sign_out sign_up sign-in sign-out sign-up log-in log-out auth "
        "oauth sso join register registration password passwd reset forgot forgot-password reset-password recover "
        "activate activation confirm verify verification unsubscribe subscribe invite new create add edit update "
        "delete remove save settings preferences options notifications security privacy billing orders order cart "
        "checkout payment payments wishlist addresses address history inbox messages list index all me self current "
        "home overview dashboard search find browse autocomplete api ajax help faq about info terms contact count "
        "stats export import css js img images image assets static media fonts icons themes plugins modules pages "
        "default common lib include includes . .. account section load service services support activity followers "
        "following subscriptions view show documents downloads guide manual docs agreement terms-of-service "
        "terms-and-conditions verify-email reset_password change-password photo photos avatar avatars picture groups "
        "roles permissions area forum community jobs careers team status session devices validate "
        "anmelden anmeldung abmelden registrieren registrierung konto passwort passwort-vergessen warenkorb merkzettel "
        "bestellungen rechnungen adressen einstellungen bearbeiten werden satzung beitrag suche liste bereich "
        "kundenservice hilfe kontakt newsletter referenzen bewertungen vorteile "
        "connexion deconnexion inscription mot-de-passe commandes panier adresses parametres modifier compte aide "
        "registro entrar salir acceso iniciar-sesion contrasena pedidos carrito direcciones ajustes editar cuenta "
        "ayuda accesso esci registrazione ordini carrello indirizzi impostazioni modifica aiuto "
    )
)
_PACKAGES = frozenset(  # `@scope` there names a publisher of software
    {"npm", "node_modules", "unpkg", "esm", "vendor", "vendors", "lib", "libs"}
)
_NO_HANDLES = frozenset(  # of Go's proxies, Vite, sizes
    {"v", "latest", "vite", "fs", "react-refresh", "1x", "2x", "3x"}
)
HANDLE = re.compile(r"[~@][^\x00-/:-@\[-^`{-\x7f]")  # a letter, a digit, `_`, or what is no ASCII: sooner compiled

_DAV = frozenset({"dav", "dav.php", "cal.php", "card.php"})  # Nextcloud's, ownCloud's, Baikal's
_COLLECTIONS = frozenset(
    {"files", "uploads", "calendars", "addressbooks", "principals", "trashbin", "versions", "avatars"}
)
_NO_OWNERS = frozenset({"system", "resources", "rooms", "calendar-resources", "calendar-rooms", "public-calendars"})
_SOGO = ("sogo", "dav"), ("sogo", "so")
_OWNERS = frozenset({"caldav.php", "letter_avatar"})  # DAViCal's; Discourse's, which has `/user_avatar/SITE/NAME/`, too
_SIZES = frozenset({"large", "medium", "small", "thumb", "thumbs"})
_NUMBER_NEXT = re.compile(r"[/\\]+[0-9]+(?:[/\\]|\Z)")

SUSPECT_ACCOUNT = (
    rf"(?i:dav[/\\]|\.php[/\\]+(?:{'|'.join(sorted(_COLLECTIONS))})|caldav\.php[/\\]|sogo[/\\]+so[/\\]|avatar[/\\])"
)


def is_handle(parents: Sequence[str], name: str) -> bool:
    """Whether a segment that begins with `~` or `@` is somebody's, and not a publisher of software or a file's size."""
    return name[0] == "~" or not ((parents[-1:] and parents[-1] in _PACKAGES) or name[1:] in _NO_HANDLES)


def is_account(parents: Sequence[str], name: str, rest: str) -> bool:
    """Whether a segment is a user's name behind the segments before it (in small letters), with `rest` behind it."""
    above, before = ("", "", *parents)[-2:]
    name = name.lower()
    if before in USER_SEGMENTS:
        return name not in _NO_USERS
    if above in _DAV and before in _COLLECTIONS:
        return name not in USER_SEGMENTS and name not in _NO_USERS and name not in _NO_OWNERS
    if (above, before) in _SOGO or before in _OWNERS or above == "user_avatar":
        return True
    return before == "avatar" and name not in _NO_USERS | _SIZES and _NUMBER_NEXT.match(rest) is not None
