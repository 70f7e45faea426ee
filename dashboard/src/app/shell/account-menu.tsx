// Who is signed in, and what is theirs: theme, language, account, the way out.
import { useQueryClient } from "@tanstack/react-query";
import { BookOpen, Keyboard, Languages, LogOut, Monitor, Moon, Sun, UserRound } from "lucide-react";
import { useNavigate } from "react-router";
import { messages } from "@/app/messages";
import { Menu } from "@/components/menu";
import { toast } from "@/components/toast";
import { api } from "@/lib/api/client";
import { type Language, LANGUAGES, setLanguage, useLanguage, useMessages } from "@/lib/i18n/language";
import { nameOf, useSession } from "@/lib/session/session";
import { setTheme, type Theme, useTheme } from "@/lib/theme";

const ICONS = { light: Sun, dark: Moon, system: Monitor } as const;

export function AccountMenu({ onShortcuts }: { onShortcuts: () => void }) {
  const t = useMessages(messages);
  const language = useLanguage();
  const { theme } = useTheme();
  const me = useSession();
  const navigate = useNavigate();
  const client = useQueryClient();
  const name = nameOf(me);
  const signOut = async () => {
    try {
      await api("DELETE /api/v1/session");
    } catch (error) {
      toast.failed(error);
      return;
    }
    client.clear(); // nothing of theirs stays for whoever comes next
    await navigate("/sign-in");
  };
  return (
    <Menu
      label={t.account}
      items={[
        [{ label: name, icon: UserRound, hint: t.account, onSelect: () => void navigate("/account") }],
        (Object.keys(ICONS) as Theme[]).map((each) => ({
          label: t.themes[each],
          icon: ICONS[each],
          checked: theme === each,
          onSelect: () => setTheme(each),
        })),
        (Object.keys(LANGUAGES) as Language[]).map((each) => ({
          label: LANGUAGES[each],
          icon: Languages,
          checked: language === each,
          onSelect: () => setLanguage(each),
        })),
        [
          { label: t.shortcuts, icon: Keyboard, onSelect: onShortcuts },
          { label: t.docs, icon: BookOpen, onSelect: () => void open("/api/docs", "_blank", "noopener") },
          { label: t.signOut, icon: LogOut, onSelect: () => void signOut() },
        ],
      ]}
    >
      <button
        type="button"
        aria-label={`${t.account}: ${name}`}
        data-initials={name.slice(0, 2)}
        className="grid size-8 shrink-0 place-content-center rounded-full bg-accent-soft text-xs font-semibold text-accent uppercase before:content-[attr(data-initials)] hover:ring-2 hover:ring-line-strong"
      />
    </Menu>
  );
}
