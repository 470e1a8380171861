import type { PwaDictionary } from './pwa-en';

export const pwaZh: PwaDictionary = {
  offline: '离线',
  offlineHint: '没有网络，已保存在本机的内容照常使用。',
  update: {
    title: '新版本已就绪',
    reload: '重新加载',
    waits: '回答结束后重新加载',
    later: '以后再说',
  },
  install: {
    title: '安装 tabmind',
    hint: '在独立窗口中打开，没有网络也能使用。',
    button: '安装',
    onIos: '点按“共享”，然后选择“添加到主屏幕”。',
  },
};
